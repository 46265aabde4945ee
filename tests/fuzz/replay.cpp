// SPDX-License-Identifier: GPL-2.0-or-later
// Stands in for libFuzzer's main(): runs each seed of a corpus folder, and each seed cut off at many places, once.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_cuts = 48;

void run(const std::vector<std::uint8_t>& seed, std::size_t size)
{
    // A copy of just that size: a read behind its end is then one that ASan sees.
    const std::vector<std::uint8_t> input(seed.begin(), seed.begin() + static_cast<std::ptrdiff_t>(size));
    LLVMFuzzerTestOneInput(input.data(), input.size());
}

std::size_t run_all(const std::vector<fs::path>& seeds)
{
    std::size_t runs = 0;
    for (const auto& file : seeds) {
        std::ifstream stream{file, std::ios::binary};
        const std::vector<std::uint8_t> seed(std::istreambuf_iterator<char>{stream}, {});
        std::fprintf(stderr, "%s: %zu bytes\n", file.filename().c_str(), seed.size());
        const std::size_t step = std::max<std::size_t>(1, seed.size() / most_cuts);
        for (std::size_t size = 0; size < seed.size(); size += step, ++runs) {
            run(seed, size);
        }
        run(seed, seed.size());
        ++runs;
    }
    return runs;
}

}  // namespace

int main(int argc, char** argv)
try {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    std::vector<fs::path> seeds;
    for (const auto& entry : fs::directory_iterator{argv[1]}) {
        if (entry.is_regular_file()) {
            seeds.push_back(fs::absolute(entry.path()));
        }
    }
    std::sort(seeds.begin(), seeds.end());
    if (seeds.empty()) {
        std::fprintf(stderr, "%s has no seeds: nothing was tested\n", argv[1]);
        return 1;
    }
    std::fprintf(stderr, "%zu runs\n", run_all(seeds));
    return 0;
} catch (const std::exception& problem) {
    std::fprintf(stderr, "%s\n", problem.what());
    return 1;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/copy_session.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/error.hpp"
#include "common/pipe.hpp"
#include "guest/core/tar_copy.hpp"

namespace banger::guest {
namespace {

/// Wider than usual: each full or empty pipe costs two task switches.
constexpr int pipe_size = 1 << 18;

Pipe make_wide_pipe()
{
    auto pipe = make_pipe("the copy");
    ::fcntl(pipe.read.get(), F_SETPIPE_SZ, pipe_size);  // refused, it works as it is
    return pipe;
}

/// What a look at the path gives where nothing is in the way of a copy; else it gives a Refused.
const wire::Bytes all_well{0};

/// In a child: the path may lead to a disk that answers no more.
wire::Bytes verdict_on(const std::string& path, bool directory)
{
    struct stat status {};
    if ((directory ? ::stat(path.c_str(), &status) : ::lstat(path.c_str(), &status)) != 0) {
        const auto code = errno == ENOENT ? wire::RefusedCode::NotFound : wire::RefusedCode::Failed;
        return wire::encode(wire::Refused{code, errno_error(path, errno).what()});
    }
    if (directory && !S_ISDIR(status.st_mode)) {
        return wire::encode(wire::Refused{wire::RefusedCode::BadDirectory, path + " is not a directory"});
    }
    return all_well;
}

}  // namespace

CopySession::CopySession(Loop& loop, wire::Mux& mux, wire::StreamId stream)
    : loop_{loop}, link_{mux, stream}, sink_{loop, link_}, source_{loop, link_}
{
}

CopySession::CopySession(Loop& loop, wire::Mux& mux, wire::StreamId stream, const wire::CopyIn& copy)
    : CopySession{loop, mux, stream}
{
    look_at(copy.directory, true, [this, copy] { begin(copy); });
}

CopySession::CopySession(Loop& loop, wire::Mux& mux, wire::StreamId stream, const wire::CopyOut& copy)
    : CopySession{loop, mux, stream}
{
    look_at(copy.path, copy.contents, [this, copy] { begin(copy); });
}

void CopySession::look_at(const std::string& path, bool directory, std::function<void()> begin)
{
    task_ = std::make_unique<Task>(
        loop_, std::vector<int>{}, [=] { return verdict_on(path, directory); },
        [this, begin = std::move(begin)](const wire::Bytes& verdict) { answer(verdict, begin); });
}

void CopySession::answer(const wire::Bytes& verdict, const std::function<void()>& begin)
{
    wire::Refused refused{wire::RefusedCode::Failed, "The look at the path ended in the guest without a result"};
    try {
        if (verdict == all_well) {
            begin();
            link_.accept({});  // last: until then it can still be refused
            return;
        }
        if (!verdict.empty()) {
            refused = wire::decode_refused(verdict);
        }
    } catch (const Error& error) {
        refused.text = error.what();
    }
    finished_ = true;
    link_.refuse(refused);
}

void CopySession::begin(const wire::CopyIn& copy)
{
    auto pipe = make_wide_pipe();
    const int end = pipe.read.get();
    task_ = std::make_unique<Task>(
        loop_, std::vector<int>{end}, [=] { return wire::encode(wire::StreamMessage{extract_tar(end, copy)}); },
        [this](const wire::Bytes& result) { task_done(result); });
    fd_ = std::move(pipe.write);
    set_nonblocking(fd_.get());
    sink_.start(fd_.get(), [this] { fd_.reset(); });
}

void CopySession::begin(const wire::CopyOut& copy)
{
    auto pipe = make_wide_pipe();
    const int end = pipe.write.get();
    task_ = std::make_unique<Task>(
        loop_, std::vector<int>{end}, [=] { return wire::encode(wire::StreamMessage{write_tar(end, copy)}); },
        [this](const wire::Bytes& result) { task_done(result); });
    fd_ = std::move(pipe.read);
    set_nonblocking(fd_.get());
    source_.start(fd_.get(), [this] {
        link_.end();
        finish_if_done();
    });
}

void CopySession::task_done(const wire::Bytes& result)
{
    result_ = wire::CopyDone{0, 0, "The copy in the guest ended without a result"};
    try {
        const auto message = wire::decode_message(result);
        if (const auto* done = std::get_if<wire::CopyDone>(&message)) {
            result_ = *done;
        }
    } catch (const Error&) {
        // A task that was killed leaves no message; the sentence above says so.
    }
    finish_if_done();
}

void CopySession::finish_if_done()
{
    if (finished_ || !result_ || !source_.done()) {
        return;
    }
    finished_ = true;
    sink_.stop();
    link_.message(*result_);
    link_.close();
}

void CopySession::on_data(wire::StreamId /*stream*/, wire::ByteView data) { sink_.data(data); }
void CopySession::on_eof(wire::StreamId /*stream*/) { sink_.eof(); }
void CopySession::on_writable(wire::StreamId /*stream*/) { source_.writable(); }
void CopySession::on_message(const wire::StreamMessage& /*message*/) {}

void CopySession::on_gone(wire::StreamId /*stream*/, Gone /*how*/)
{
    link_.cut();
    source_.stop();
    sink_.stop();
    task_.reset();
    finished_ = true;
}

}  // namespace banger::guest

# SPDX-License-Identifier: GPL-2.0-or-later
"""What the contract and the host tests share: a user's environment of its own, buses, processes, the Agent1 interface."""

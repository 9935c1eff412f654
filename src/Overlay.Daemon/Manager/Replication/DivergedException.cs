using System.Globalization;
using Overlay.Raft.Consensus;

namespace Overlay.Daemon.Manager.Replication;

/// <summary>Two managers applied the same log and do not hold the same store. Neither can be believed alone: this one stops.</summary>
internal sealed class DivergedException(Divergence found)
    : Exception(string.Create(
        CultureInfo.InvariantCulture,
        $"the store of this manager is not the leader's after entry {found.Index} "
        + $"(print {found.Ours:x16}, that of member {found.Member} is {found.Theirs:x16})"));

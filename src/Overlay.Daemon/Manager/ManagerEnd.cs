using System.Globalization;
using Overlay.Cluster;
using Overlay.Daemon.Manager.Peers;
using Overlay.Daemon.Manager.Replication;
using Overlay.Daemon.Storage;

namespace Overlay.Daemon.Manager;

/// <summary>What callers are told when the manager's loop has ended.</summary>
internal static class ManagerEnd
{
    public static readonly Refusal Stopped = new(
        RefusalKind.Unavailable, "The manager did not answer.", "The agent is stopping.",
        "Type the command again when `overlayd status` answers.");

    public static readonly Refusal UndecidedAtStop = new(
        RefusalKind.Unavailable, "It is not known whether the change was made.", "The agent is stopping.",
        "Look whether the change is there when `overlayd status` answers, before you repeat it.");

    /// <summary>For those whose change was in the log of a leader that is none any more.</summary>
    public static readonly Refusal UndecidedWithoutLeader = new(
        RefusalKind.Unavailable, "It is not known whether the change was made.",
        "The leader was lost while the managers agreed on it.", "Look whether the change is there before you repeat it.");

    /// <param name="epoch">Of the cluster's new life.</param>
    public static Refusal Superseded(ulong epoch) => new(
        RefusalKind.Unavailable, "This manager is superseded.",
        string.Create(CultureInfo.InvariantCulture, $"The cluster was begun anew without it, in epoch {epoch}."),
        "Type `overlayd leave --force` here, then `overlayd join` with a token of the new one.");

    /// <param name="leader">Null: its address is not known here.</param>
    public static Refusal NotLeader(PeerAddress? leader) => new(
        RefusalKind.Unavailable, "The change was not made.",
        leader is { } known ? $"This manager does not lead; {known.Node} at {known.Address} does." : "This manager does not lead.",
        leader is { } at ? $"Type the command on {at.Node}." : "Type the command again in a few seconds.");

    public static Refusal NoQuorum(QuorumView quorum) => new(
        RefusalKind.NoQuorum, "The change was not made.",
        $"{quorum}.",
        "Start the managers that are missing, or bring the network to them back; `overlayd status` shows them.");

    public static readonly Refusal NoLeader = new(
        RefusalKind.Unavailable, "The change was not made.", "The managers have not agreed on a leader yet.",
        "Type the command again in a few seconds; if it stays so, look at their logs.");

    public static Refusal QuorumAtRisk(string what, QuorumView after) => new(
        RefusalKind.Conflict, what, $"Without it the cluster could not be changed any more: {after}.",
        "Bring the managers that are missing back, or promote another node first.");

    public static readonly Refusal CatchingUp = new(
        RefusalKind.Unavailable, "This manager cannot answer yet.", "It is catching up with the others.",
        "Type the command again in a few seconds, or on another manager.");

    public static Refusal TooLong(int bytes, int limit) => new(
        RefusalKind.Exhausted, "The change was not made.",
        string.Create(CultureInfo.InvariantCulture, $"It has {bytes} bytes, and a change may have {limit}."),
        "Make it in smaller steps.");

    /// <summary>For those whose change was being written: it may be there after a restart, or not.</summary>
    public static Refusal Undecided(Exception cause) => new(
        RefusalKind.Unavailable, "It is not known whether the change was made.", Why(cause),
        Next(cause) + ", and look whether the change is there before you repeat it.");

    /// <summary>For those who came later.</summary>
    public static Refusal Failed(Exception cause) =>
        new(RefusalKind.Unavailable, "The manager did not answer.", Why(cause), Next(cause) + ".");

    private static string Why(Exception cause) => cause is StorageWriteException disk
        ? $"{disk.File} could not be written ({disk.Reason})."
        : $"It stopped by a fault of its own ({cause.Message.TrimEnd('.')}).";

    private static string Next(Exception cause) => cause is StorageWriteException
        ? "Make room or repair the disk, type `systemctl restart overlayd`"
        : "See `journalctl -u overlayd`, type `systemctl restart overlayd`";
}

using Overlay.Cluster;
using Overlay.Daemon.Storage;

namespace Overlay.Daemon.Manager;

/// <summary>What callers are told when the manager's loop has ended.</summary>
internal static class ManagerEnd
{
    public static readonly Refusal Stopped = new(
        RefusalKind.Unavailable, "The manager did not answer.", "The agent is stopping.",
        "Type the command again when `overlayd status` answers.");

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

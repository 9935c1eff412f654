using Overlay.Daemon.Storage;

namespace Overlay.Daemon.Manager;

/// <summary>
/// A file that only takes up room, given up when a manager starts on a full disk: every start begins a segment, and a manager
/// that did not start could not even say what is wrong.
/// </summary>
internal static class SpareRoom
{
    private const string FileName = "spare-room";

    /// <summary>More than a segment with a leader's first entries, and the key files, take.</summary>
    private const int Bytes = 4 << 20;

    /// <summary>Before the log is opened.</summary>
    public static void Prepare(string stateFolder)
    {
        string path = Path.Combine(stateFolder, FileName);
        if (new DriveInfo(stateFolder).AvailableFreeSpace < Bytes)
        {
            File.Delete(path);
        }
        else if (!File.Exists(path))
        {
            try
            {
                DurableFile.WriteAtomically(path, new byte[Bytes]);
            }
            catch (IOException)
            {
                // The disk ran full at this moment; a later start tries again.
            }
        }
    }

    public static void Erase(string stateFolder) => File.Delete(Path.Combine(stateFolder, FileName));
}

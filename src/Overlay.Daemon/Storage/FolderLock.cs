using System.Globalization;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Overlay.Daemon.Storage;

/// <summary>
/// Keeps other agents from a folder for as long as it is held; the system frees it when the process ends, however it
/// ends. The file <c>lock</c> holds the process id of the holder.
/// </summary>
internal sealed class FolderLock : IDisposable
{
    public const string FileName = "lock";
    private const int LongestProcessId = 20;

    private readonly SafeFileHandle file;

    private FolderLock(SafeFileHandle file) => this.file = file;

    /// <param name="folder">Exists.</param>
    /// <param name="setting">The flag that gives an agent another folder.</param>
    /// <exception cref="StorageLockedException">Another agent has it.</exception>
    public static FolderLock Take(string folder, string setting)
    {
        string path = Path.Combine(folder, FileName);
        SafeFileHandle file;
        try
        {
            file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (e.HResult == DurableFile.WouldBlock)
        {
            string owner = Encoding.ASCII.GetString(DurableFile.ReadLocked(path, LongestProcessId)).Trim();
            bool known = owner.Length > 0 && owner.All(char.IsAsciiDigit);
            throw new StorageLockedException(folder, known ? owner : null, setting);
        }

        try
        {
            // For the message of whoever finds it locked; a full disk must not keep the agent from starting.
            RandomAccess.SetLength(file, 0);
            RandomAccess.Write(file, Encoding.ASCII.GetBytes(Environment.ProcessId.ToString(CultureInfo.InvariantCulture)), 0);
        }
        catch (IOException)
        {
        }

        return new(file);
    }

    public void Dispose() => file.Dispose();
}

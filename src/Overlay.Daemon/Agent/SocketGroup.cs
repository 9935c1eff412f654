using System.Globalization;
using System.Runtime.InteropServices;

namespace Overlay.Daemon.Agent;

/// <summary>Who besides root may use the operator's socket: the members of one group.</summary>
internal static partial class SocketGroup
{
    private const string Groups = "/etc/group";

    /// <summary>False: the host has no such group, and the socket stays root's alone.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public static bool Give(string socket, string group)
    {
        if (Find(group) is not { } id)
        {
            return false;
        }

        const uint KeepOwner = uint.MaxValue;
        return Chown(socket, KeepOwner, id) == 0
            ? true
            : throw new IOException($"{socket} could not be given to group {group}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    private static uint? Find(string group)
    {
        if (uint.TryParse(group, NumberStyles.None, CultureInfo.InvariantCulture, out uint number))
        {
            return number;
        }

        foreach (string line in File.Exists(Groups) ? File.ReadLines(Groups) : [])
        {
            string[] fields = line.Split(':');
            if (fields.Length >= 3 && fields[0] == group
                && uint.TryParse(fields[2], NumberStyles.None, CultureInfo.InvariantCulture, out uint id))
            {
                return id;
            }
        }

        return null;
    }

    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Chown(string path, uint owner, uint group);
}

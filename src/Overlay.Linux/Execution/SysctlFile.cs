using System.Text;
using Overlay.Linux.Native;

namespace Overlay.Linux.Execution;

/// <summary>
/// Kernel parameters below /proc/sys as the calling thread sees them: those below net/ follow its network namespace.
/// </summary>
internal static class SysctlFile
{
    private const string BridgeFilter = "net/bridge/bridge-nf-call-";
    private const int MaxValueBytes = 4096;

    /// <summary>Letters, digits, '-', '_' and '.', separated by '/': nothing that leaves /proc/sys.</summary>
    public static bool IsValidPath(string path) =>
        path.Length is > 0 and <= 200
        && path.Split('/').All(part => part.Length > 0 && part is not ("." or ".."))
        && path.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '-' or '_' or '.');

    /// <summary>Null where there is no such parameter.</summary>
    /// <exception cref="KernelException">It cannot be read.</exception>
    public static string? Read(string path)
    {
        using SafeFd file = Libc.Open($"/proc/sys/{path}", Libc.OpenReadOnly | Libc.OpenCloseOnExec, 0);
        if (file.IsInvalid)
        {
            return Errno.Last switch
            {
                Errno.NoEntry => WithoutModule(path),
                int errno => throw new KernelException($"cannot read sysctl {path}", errno),
            };
        }

        Span<byte> buffer = stackalloc byte[MaxValueBytes];
        nint length = Libc.Read(file, buffer, (nuint)buffer.Length);
        return length >= 0
            ? Encoding.UTF8.GetString(buffer[..(int)length]).TrimEnd('\n')
            : throw KernelException.FromLastError($"cannot read sysctl {path}");
    }

    /// <returns>0 or an errno.</returns>
    public static int Write(string path, string value)
    {
        using SafeFd file = Libc.Open($"/proc/sys/{path}", Libc.OpenWriteOnly | Libc.OpenCloseOnExec, 0);
        if (file.IsInvalid)
        {
            int errno = Errno.Last;
            return errno == Errno.NoEntry && WithoutModule(path) == value ? 0 : errno;
        }

        byte[] bytes = Encoding.UTF8.GetBytes(value + "\n");
        return Libc.Write(file, bytes, (nuint)bytes.Length) == bytes.Length ? 0 : Errno.Last;
    }

    /// <summary>Without br_netfilter no packet of a bridge goes to netfilter: as with the parameters at 0.</summary>
    private static string? WithoutModule(string path) =>
        path.StartsWith(BridgeFilter, StringComparison.Ordinal) ? "0" : null;
}

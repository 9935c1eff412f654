using System.Runtime.InteropServices;
using Overlay.Dataplane;
using Overlay.Linux.Native;

namespace Overlay.Linux.Nftables;

/// <summary>
/// The table <c>inet overlayd</c> of one network namespace: that of the thread that made this object. Foreign tables
/// are never touched.
/// </summary>
internal sealed class NftContext : IDisposable
{
    private const string Table = "inet overlayd";

    /// <summary>The library's parser keeps static state: one call at a time in the whole process.</summary>
    private static readonly Lock Gate = new();

    private nint context;

    private NftContext(nint context) => this.context = context;

    /// <exception cref="KernelException">The library is not installed, or the kernel refuses.</exception>
    public static NftContext OpenHere()
    {
        try
        {
            lock (Gate)
            {
                nint context = LibNftables.New(0);
                if (context == 0 || LibNftables.BufferOutput(context) != 0 || LibNftables.BufferError(context) != 0)
                {
                    throw new KernelException("cannot make a context of libnftables", Errno.NoMemory);
                }

                LibNftables.SetOutputFlags(context, LibNftables.OutputStateless | LibNftables.OutputTerse);
                return new(context);
            }
        }
        catch (DllNotFoundException)
        {
            throw new KernelException(
                "libnftables.so.1 is not installed; on Debian: apt install libnftables1", Errno.NoEntry);
        }
    }

    /// <summary>The canonical listing without elements of sets, its parts in order, or null where there is no such table.</summary>
    /// <exception cref="KernelException">It cannot be listed.</exception>
    public string? List()
    {
        (string output, string? error) = Run($"list table {Table}");
        return error switch
        {
            null => NftTableText.Sorted(output),
            _ when error.Contains("No such file", StringComparison.Ordinal) => null,
            _ => throw new KernelException($"cannot list table {Table}", Errno.Protocol, error),
        };
    }

    /// <summary>
    /// Puts the table in place in one transaction: traffic sees the old one or the new one. Where what is there is another
    /// than it was believed to be, it is replaced as a whole.
    /// </summary>
    /// <returns>Null, or what is wrong.</returns>
    public string? Replace(string listing, string? before)
    {
        string commands = NftTableText.Replacement(before, listing);
        string whole = NftTableText.Whole(listing);
        string? error = Run(commands).Error;
        return error is null || commands == whole ? error : Run(whole).Error;
    }

    /// <returns>Null, or what is wrong; a table that is not there is no error.</returns>
    public string? Delete() => Run($"table {Table}\ndelete table {Table}\n").Error;

    public void Dispose()
    {
        lock (Gate)
        {
            if (context != 0)
            {
                LibNftables.Free(context);
                context = 0;
            }
        }
    }

    private (string Output, string? Error) Run(string commands)
    {
        lock (Gate)
        {
            int result = LibNftables.Run(context, commands);
            string output = Marshal.PtrToStringUTF8(LibNftables.GetOutput(context)) ?? "";
            string error = Marshal.PtrToStringUTF8(LibNftables.GetError(context)) ?? "";
            return (output, result == 0 ? null : OneLine(error));
        }
    }

    /// <summary>The library points at the culprit with a line of carets: we keep its words.</summary>
    private static string OneLine(string error)
    {
        string[] lines = error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        IEnumerable<string> words = lines.Where(line => line.AsSpan().Trim("^~ \t").Length > 0).Take(4);
        string text = string.Join(" | ", words);
        return text.Length == 0 ? "nft failed without a word" : text;
    }
}

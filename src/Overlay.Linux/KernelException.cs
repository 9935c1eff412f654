namespace Overlay.Linux;

/// <summary>The kernel refused: what was asked, the errno and the kernel's own words where it gave any.</summary>
public sealed class KernelException(string action, int errno, string? kernelText = null)
    : Exception($"{action}: {Native.Errno.Describe(errno)}{(kernelText is null ? "" : $": {kernelText}")}")
{
    public int Errno { get; } = errno;

    /// <summary>From the calling thread's last failed libc call.</summary>
    internal static KernelException FromLastError(string action) => new(action, Native.Errno.Last);
}

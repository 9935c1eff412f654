using Microsoft.Win32.SafeHandles;

namespace Overlay.Linux.Native;

/// <summary>A file descriptor that closes itself.</summary>
internal sealed class SafeFd : SafeHandleMinusOneIsInvalid
{
    public SafeFd(int descriptor)
        : base(ownsHandle: true) =>
        SetHandle(descriptor);

    /// <summary>The number, for netlink attributes; valid only as long as this object is kept alive.</summary>
    public int Number => (int)handle;

    /// <summary>Gives the descriptor away: this object no longer closes it.</summary>
    public int Release()
    {
        int descriptor = (int)handle;
        SetHandleAsInvalid();
        return descriptor;
    }

    protected override bool ReleaseHandle() => Libc.Close((int)handle) == 0;
}

using System.Runtime.InteropServices;
using Overlay.Linux.Memory;

namespace Overlay.Tests.Linux;

public sealed class NativeHeapTests
{
    [Fact]
    public void FreePagesBelowAUsedOneAreGivenBack()
    {
        const int Bytes = 8 << 10;
        nint[] blocks = new nint[1024];
        foreach (ref nint block in blocks.AsSpan())
        {
            block = Marshal.AllocHGlobal(Bytes);
            Marshal.WriteByte(block, 1);
        }

        foreach (nint block in blocks[..^1])
        {
            Marshal.FreeHGlobal(block);
        }

        Assert.True(NativeHeap.Trim());
        Marshal.FreeHGlobal(blocks[^1]);
    }

    [Fact]
    public void TheNumberOfHeapsCanBeLimited() => Assert.True(NativeHeap.Limit(8));
}

using System.Text;
using Overlay.Linux.Memory;

namespace Overlay.Tests.Linux;

public sealed class FileMappingsTests
{
    private const string Text = """
        55d000000000-55d000010000 r-xp 00001000 fe:00 1234                       /usr/lib/lib with space.so
        Size:                 64 kB
        Rss:                  40 kB
        Anonymous:             0 kB
        VmFlags: rd ex mr mw me
        55d000010000-55d000020000 r--p 00001000 fe:00 1234                       /usr/lib/relocated.so
        Rss:                  12 kB
        Anonymous:             8 kB
        7f0000000000-7f0000010000 rw-p 00000000 fe:00 1234                       /usr/lib/data.so
        Rss:                  12 kB
        Anonymous:             0 kB
        7f0000010000-7f0000020000 r-xs 00000000 00:01 2056                       /memfd:doublemapper (deleted)
        Rss:                  12 kB
        Anonymous:             0 kB
        7f0000020000-7f0000030000 r-xp 00000000 fe:00 99                         /usr/lib/replaced.so (deleted)
        Rss:                  12 kB
        Anonymous:             0 kB
        7f0000030000-7f0000040000 r--p 00000000 00:00 0
        Rss:                  12 kB
        Anonymous:             0 kB
        7ffc00000000-7ffc00001000 r-xp 00000000 00:00 0                          [vdso]
        Rss:                   4 kB
        Anonymous:             0 kB
        """;

    [Fact]
    public void OnlyUntouchedReadOnlyCopiesOfFilesMayBeLetGo()
    {
        List<FileMapping> mappings = Read(Text);

        Assert.Equal(7, mappings.Count);
        FileMapping plain = Assert.Single(mappings, static m => m.IsPlainCopy);
        Assert.Equal((0x55d000000000UL, 0x10000UL), (plain.Start, plain.Length));
        Assert.Equal(40 * 1024, plain.ResidentBytes);
    }

    [Theory]
    [InlineData("")]
    [InlineData("not a mapping")]
    [InlineData("20-10 r-xp 0 fe:00 1 /backwards")]
    [InlineData("x-y r-xp 0 fe:00 1 /not/hexadecimal")]
    [InlineData("10-20 r-xp 0 fe:00")]
    [InlineData("Rss: 10 kB\nAnonymous: many kB")]
    public void WhatIsNotUnderstoodIsPassedOver(string text) => Assert.Empty(Read(text));

    [Fact]
    public void ALineTooLongForTheBufferIsPassedOver()
    {
        string text = $"{new string('x', 200_000)}\n{Text}";

        Assert.Equal(Read(Text), Read(text));
    }

    [Fact]
    public void ReadingIsTheSameHoweverTheTextIsCut()
    {
        byte[] bytes = Encoding.UTF8.GetBytes(Text);
        for (int step = 1; step < 50; step++)
        {
            List<FileMapping> mappings = [];
            FileMappings.Read(new Pieces(bytes, step), mappings.Add);
            Assert.Equal(Read(Text), mappings);
        }
    }

    [Fact]
    public void TheProcessGoesOnWithoutItsPages()
    {
        Assert.True(FileMappings.Release() > 0);

        // Code that was let go is used again.
        Assert.Equal("4", (2 + 2).ToString(System.Globalization.CultureInfo.InvariantCulture));
        Assert.NotEmpty(Read(Text));
    }

    [Fact]
    public void LettingGoAllocatesLittle()
    {
        FileMappings.Release();
        long before = GC.GetAllocatedBytesForCurrentThread();
        FileMappings.Release();

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 128 * 1024);
    }

    private static List<FileMapping> Read(string text)
    {
        List<FileMapping> mappings = [];
        FileMappings.Read(new MemoryStream(Encoding.UTF8.GetBytes(text)), mappings.Add);
        return mappings;
    }

    /// <summary>Gives a few bytes at a time.</summary>
    private sealed class Pieces(byte[] bytes, int step) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(step, count));

        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(step, buffer.Length)]);
    }
}

namespace Grpc.Core;

/// <summary>Hints for one write. <see cref="NoCompress"/> is always so here: nothing is compressed.</summary>
[Flags]
public enum WriteFlags
{
    None = 0,
    BufferHint = 1,
    NoCompress = 2,
}

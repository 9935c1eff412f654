using System.Net;

namespace Overlay.Daemon.Names;

/// <summary>What the forwarder's loop is told.</summary>
internal abstract record ForwarderInput
{
    private ForwarderInput()
    {
    }

    /// <summary>A query of a sandbox.</summary>
    /// <param name="Client">The sandbox.</param>
    /// <param name="Reply">Called once with the response; must not block or throw.</param>
    public sealed record Start(int Client, byte[] Query, bool Tcp, int UdpLimit, Action<byte[]> Reply) : ForwarderInput;

    public sealed record Packet(long Attempt, IPEndPoint Source, byte[] Content) : ForwarderInput;

    public sealed record Failed(long Attempt) : ForwarderInput;

    /// <summary>A deadline has come.</summary>
    public sealed record Tick : ForwarderInput
    {
        public static readonly Tick Instance = new();
    }
}

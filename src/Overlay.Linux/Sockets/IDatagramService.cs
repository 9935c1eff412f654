using System.Net.Sockets;

namespace Overlay.Linux.Sockets;

/// <summary>What answers the datagrams of one socket; called by one thread at a time, which serves others, too.</summary>
public interface IDatagramService
{
    /// <param name="response">Room for the answer.</param>
    /// <returns>Bytes of the answer; 0: none is to be sent now.</returns>
    int Respond(ReadOnlySpan<byte> request, in DatagramSource from, Span<byte> response);

    /// <summary>The kernel did not take an answer, or the socket itself fails; what waits is tried again.</summary>
    void Failed(SocketError error);
}

using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Daemon.Manager.Peers;

/// <summary>What the transport serves. Called from many threads; nothing here may wait.</summary>
internal interface IPeerReceiver : IPeerJudge
{
    /// <param name="message">Of the member that it says it is from; kept as long as the receiver likes.</param>
    /// <returns>False: there is no room; whoever sent it will repeat it.</returns>
    bool Receive(in RaftMessage message);

    /// <summary>A snapshot came whole.</summary>
    /// <param name="announcement">The message that it belongs to.</param>
    /// <returns>False: it cannot be taken now.</returns>
    bool ReceiveSnapshot(in RaftMessage announcement, ReadOnlyMemory<byte> snapshot);

    /// <summary>What was sent to the member lately may be lost.</summary>
    void Unreachable(MemberId member);

    /// <summary>A member says where it is reached.</summary>
    /// <param name="address">ip:port.</param>
    void IsAt(MemberId member, string address)
    {
        // Who has no way to it need not listen.
    }

    /// <summary>A member's own connection to here has ended: it stopped, or the way is cut.</summary>
    void Gone(MemberId member);
}

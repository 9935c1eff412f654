using System.Net;

namespace Overlay.Dns;

/// <summary>Why a forwarded question had no proper answer.</summary>
public enum UpstreamFailure
{
    None,

    /// <summary>The host has no servers.</summary>
    NoServer,

    /// <summary>Too many questions are under way.</summary>
    TooMany,

    Timeout,

    /// <summary>Every server failed or refused, or could not be reached.</summary>
    AllFailed,
}

/// <summary>
/// One question to one server. The shell uses a socket of its own for it: a fresh, random source port.
/// </summary>
/// <param name="Attempt">Names the socket; never used twice.</param>
public readonly record struct UpstreamSend(long Attempt, IPEndPoint Server, bool Tcp, byte[] Packet);

/// <summary>Whose answer a client gets.</summary>
public enum AnswerSource
{
    /// <summary>A server's, or ours that says why there is none.</summary>
    Server,

    /// <summary>One that was kept, within its time.</summary>
    Cache,

    /// <summary>One that was kept, beyond its time, as no server answers.</summary>
    Stale,
}

/// <summary>The answer to a client.</summary>
/// <param name="Ticket">What the shell gave at the start.</param>
/// <param name="Failure">Why no server's answer is in it.</param>
public readonly record struct UpstreamReply(long Ticket, byte[] Packet, UpstreamFailure Failure, AnswerSource Source = AnswerSource.Server);

/// <summary>What the shell is to do, in this order: close sockets, send, reply. Cleared by the shell.</summary>
public sealed class UpstreamEffects
{
    /// <summary>Attempts whose sockets are no longer wanted.</summary>
    public List<long> Closes { get; } = [];

    public List<UpstreamSend> Sends { get; } = [];

    public List<UpstreamReply> Replies { get; } = [];

    /// <summary>
    /// Packets refused because their id, question or source did not match: forgeries or very late answers.
    /// </summary>
    public int Mismatches { get; internal set; }

    public void Clear()
    {
        Closes.Clear();
        Sends.Clear();
        Replies.Clear();
        Mismatches = 0;
    }
}

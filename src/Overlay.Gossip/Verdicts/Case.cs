using Overlay.Primitives;

namespace Overlay.Gossip.Verdicts;

/// <summary>One look of this node at a member, and what other observers found where this node asked them.</summary>
internal sealed class Case(MemberEntry subject, Instant now, TimeSpan lasts)
{
    public MemberEntry Subject { get; } = subject;

    public uint Incarnation { get; } = subject.Incarnation;

    public Instant Began { get; } = now;

    public Instant LookEnds { get; } = now + lasts;

    /// <summary>When the next packet is sent to the subject.</summary>
    public Instant NextPingAt { get; set; } = now;

    public int PingsSent { get; set; }

    public List<uint> Sequences { get; } = [];

    /// <summary>The dial under way; 0: none.</summary>
    public long ExchangeId { get; set; }

    /// <summary>A step of the look came so late that its silence proves nothing.</summary>
    public bool WasLate { get; set; }

    /// <summary>What this node itself found.</summary>
    public Finding? Own { get; set; }

    /// <summary>Who waits for it.</summary>
    public SortedSet<string> Askers { get; } = new(StringComparer.Ordinal);

    /// <summary>This node saw the first evidence, and gathers the others'.</summary>
    public bool Presides { get; set; }

    /// <summary>The observers asked, with what they found.</summary>
    public SortedDictionary<string, Finding?> Observers { get; } = new(StringComparer.Ordinal);

    /// <summary>No finding is waited for longer.</summary>
    public Instant DecideBy { get; set; } = Instant.Never;

    public bool Closed { get; set; }

    public Instant NextDeadline => Own is null ? Instant.Min(NextPingAt, LookEnds) : Presides ? DecideBy : Instant.Never;

    public bool AnyAnswer =>
        Own is Finding.Alive or Finding.HostUp || Observers.Values.Any(static f => f is Finding.Alive or Finding.HostUp);

    public int Silent => (Own == Finding.Silent ? 1 : 0) + Observers.Values.Count(static f => f == Finding.Silent);

    public bool IsComplete => Own is not null && Observers.Values.All(static f => f is not null);
}

using Overlay.Daemon.Telemetry;
using Overlay.Dns;

namespace Overlay.Daemon.Names;

/// <summary>What one sandbox's resolver did, for `status`; and the same for the node, for metrics.</summary>
internal sealed class SandboxCounters(Instruments instruments)
{
    private static readonly KeyValuePair<string, object?> Udp = new("proto", "udp");
    private static readonly KeyValuePair<string, object?> Tcp = new("proto", "tcp");
    private static readonly KeyValuePair<string, object?> FromOverlay = new("zone", "overlay");
    private static readonly KeyValuePair<string, object?> FromUpstream = new("zone", "upstream");

    private static readonly KeyValuePair<string, object?>[] Codes =
        [.. Enumerable.Range(0, 17).Select(static c =>
            new KeyValuePair<string, object?>("rcode", ((ResponseCode)c).ToString()))];

    private long answered;
    private long forwarded;
    private long dropped;

    public long Answered => Volatile.Read(ref answered);

    public long Forwarded => Volatile.Read(ref forwarded);

    public long Dropped => Volatile.Read(ref dropped);

    /// <summary>Counts a query and, where it is answered at once, its response.</summary>
    public void Count(in Answer answer, bool tcp, TimeSpan elapsed)
    {
        instruments.DnsRequests.Add(1, tcp ? Tcp : Udp, new("type", TypeName(answer.Type)));
        switch (answer.Outcome)
        {
            case AnswerOutcome.Answered:
                Interlocked.Increment(ref answered);
                CountResponse((int)answer.Code, elapsed, FromOverlay);
                break;
            case AnswerOutcome.Forward:
                Interlocked.Increment(ref forwarded);
                break;
            default:
                CountDrop(answer.Reason.ToString());
                break;
        }
    }

    public void CountForwarded(ReadOnlySpan<byte> response, TimeSpan elapsed) =>
        CountResponse(response[3] & 15, elapsed, FromUpstream);

    public void CountDrop(string reason)
    {
        Interlocked.Increment(ref dropped);
        instruments.DnsDrops.Add(1, new KeyValuePair<string, object?>("reason", reason));
    }

    /// <summary>Few labels, whatever types clients ask for.</summary>
    private static string TypeName(RecordType type) => type switch
    {
        RecordType.A => "A",
        RecordType.Aaaa => "AAAA",
        RecordType.DomainPointer => "PTR",
        RecordType.Srv => "SRV",
        RecordType.Mx => "MX",
        RecordType.Txt => "TXT",
        RecordType.Any => "ANY",
        _ => "other",
    };

    private void CountResponse(int code, TimeSpan elapsed, KeyValuePair<string, object?> zone)
    {
        instruments.DnsResponses.Add(1, Codes[Math.Min(code, Codes.Length - 1)]);
        instruments.DnsDuration.Record(elapsed.TotalSeconds, zone);
    }
}

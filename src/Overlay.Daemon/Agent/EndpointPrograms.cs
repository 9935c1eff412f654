using System.Diagnostics;
using Overlay.Daemon.Telemetry;
using Overlay.Dataplane;
using Overlay.Node;
using Overlay.Primitives;

namespace Overlay.Daemon.Agent;

/// <summary>
/// Follows other nodes' endpoints from the moment their entry is learnt to the moment the kernel here holds it: a
/// histogram of that time, and a span "endpoint.program" in the trace of the attach where its node traces it. So one
/// attach is one trace over all nodes that programmed it.
/// <para>An endpoint of a network without a sandbox here is not programmed, and not followed.</para>
/// </summary>
internal sealed class EndpointPrograms(Instruments instruments, MonotonicClock clock, Func<(string Id, string Name)> self)
{
    /// <summary>More at once than this are a restart or a healed partition, not attaches to watch.</summary>
    public const int MaxFollowed = 4096;

    /// <summary>
    /// An owner whose VTEP no manager told of within this time is not waited for; and what was attached longer ago (by
    /// the owner's clock) comes from a restart, a healed partition or a newly followed network: no part of its attach.
    /// </summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private const string SpanName = "endpoint.program";

    private readonly Lock gate = new();
    private readonly List<Followed> followed = [];
    private DataplaneInputs? wanted;
    private HashSet<(NetworkId, MacAddress)>? wantedRemotes;
    private long wantedRevision;
    private long settledRevision = -1;

    private sealed record Followed(
        NodeEvent.EndpointChanged Endpoint, Instant LearntAt, DateTimeOffset LearntTime, long? Revision);

    /// <summary>The node wants this of the kernel; before the events of the same step.</summary>
    public void Wanted(long revision, DataplaneInputs inputs)
    {
        lock (gate)
        {
            wanted = inputs;
            wantedRemotes = null;
            wantedRevision = revision;
            // A new membership counts its revisions from the start again.
            settledRevision = Math.Min(settledRevision, revision - 1);
            Instant now = clock.Now;
            for (int i = followed.Count - 1; i >= 0; i--)
            {
                Followed each = followed[i];
                if (each.Revision is not null)
                {
                    continue;
                }

                if (Place(each) is { } placed && each.LearntAt + Patience > now)
                {
                    followed[i] = placed;
                }
                else
                {
                    followed.RemoveAt(i);
                }
            }
        }
    }

    /// <summary>The node learnt something; only new endpoints of others matter.</summary>
    public void Happened(NodeEvent happened)
    {
        if (happened is not NodeEvent.EndpointChanged { Learnt: not null } endpoint)
        {
            return;
        }

        Followed each = new(endpoint, clock.Now, clock.Time.GetUtcNow(), null);
        lock (gate)
        {
            if (Place(each) is not { } placed)
            {
                return;
            }

            if (placed.Revision is { } revision && revision <= settledRevision)
            {
                Finish(placed);
            }
            else if (followed.Count < MaxFollowed)
            {
                followed.Add(placed);
            }
        }
    }

    /// <summary>The kernel holds all that was wanted up to this revision.</summary>
    public void Settled(long revision)
    {
        lock (gate)
        {
            settledRevision = revision;
            foreach (Followed each in followed.Where(f => f.Revision <= revision))
            {
                Finish(each);
            }

            followed.RemoveAll(f => f.Revision <= revision);
        }
    }

    /// <summary>With the revision that programs it, where it is among what is wanted; null: it will not be.</summary>
    private Followed? Place(Followed each)
    {
        NetworkId network = each.Endpoint.NetworkId;
        if (wanted is null || !wanted.Networks.Any(n => n.Id == network))
        {
            return null;
        }

        wantedRemotes ??= [.. wanted.Remotes.Select(static r => (r.Network, r.Mac))];
        return wantedRemotes.Contains((network, each.Endpoint.Learnt!.Mac)) ? each with { Revision = wantedRevision } : each;
    }

    private void Finish(Followed each)
    {
        instruments.EndpointProgramDuration.Record((clock.Now - each.LearntAt).TotalSeconds);
        RemoteEndpointRecord remote = each.Endpoint.Learnt!;
        TimeSpan age = TimeSpan.FromMilliseconds(Math.Abs((double)(each.LearntTime.ToUnixTimeMilliseconds() - remote.CreatedUnixMs)));
        if (age > Patience || !Spans.TryContinue(remote.Trace, out ActivityContext attach))
        {
            return;
        }

        using Activity? span = Instruments.Activities.StartActivity(
            SpanName, ActivityKind.Consumer, attach, startTime: each.LearntTime);
        if (span is not null)
        {
            (string id, string name) = self();
            Spans.Describe(span, id, name, remote.Id, each.Endpoint.Network);
            span.SetTag("overlayd.endpoint.owner", remote.Owner.ToString());
            span.SetEndTime(clock.Time.GetUtcNow().UtcDateTime);
        }
    }
}

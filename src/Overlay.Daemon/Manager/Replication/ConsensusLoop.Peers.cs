using System.Collections.Immutable;
using Overlay.Daemon.Manager.Peers;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Consensus;

namespace Overlay.Daemon.Manager.Replication;

/// <summary>What comes from other members, and where they are.</summary>
internal sealed partial class ConsensusLoop : IPeerReceiver
{
    private static readonly TimeSpan ShortestWait = TimeSpan.FromMilliseconds(20);
    private static readonly TimeSpan LongestWait = TimeSpan.FromMilliseconds(200);

    private volatile ImmutableDictionary<ulong, PeerAddress> directory = [];
    private volatile PeerLinks? links;
    private Instant campaignAt = Instant.Never;

    public PeerSelf Self => setup.Self;

    /// <summary>What others have open here; a member that is none any more loses it.</summary>
    public IncomingStreams Streams { get; } = new();

    public QuorumView Quorum
    {
        get
        {
            Raft.Configuration now = configuration;
            int reachable = now.Voters.Count(v => v == Self.Member || links?.IsConnected(v) == true);
            return new(reachable, now.Voters.Length, (now.Voters.Length / 2) + 1);
        }
    }

    /// <summary>The ways to the others; once.</summary>
    public void Connect(PeerLinks ways)
    {
        links = ways;
        ways.Update([.. directory.Values]);
    }

    /// <summary>All managers as the store knows them; this one may be among them.</summary>
    public void Know(IEnumerable<PeerAddress> managers)
    {
        ImmutableDictionary<ulong, PeerAddress> next = managers
            .Where(p => !p.Member.IsNone && p.Member != Self.Member)
            .ToImmutableDictionary(static p => p.Member.Value);
        lock (gate)
        {
            if (next.Count == directory.Count && next.Values.All(p => directory.TryGetValue(p.Member.Value, out PeerAddress known) && known == p))
            {
                return;
            }

            directory = next;
            links?.Update([.. next.Values]);
        }

        Streams.Cut(member => directory.ContainsKey(member.Value));
    }

    public PeerAddress? AddressOf(MemberId member) =>
        directory.TryGetValue(member.Value, out PeerAddress peer) ? peer : null;

    public string? FaultOf(MemberId member, NodeId node) =>
        directory.TryGetValue(member.Value, out PeerAddress peer) && peer.Node == node
            ? null
            : $"Node {node} is not member {member} of this cluster's managers, as far as this manager knows.";

    public bool Receive(in RaftMessage message)
    {
        lock (gate)
        {
            if (incoming.Count >= MaxMessages)
            {
                return false;
            }

            incoming.Add(message);
        }

        signal.Set();
        return true;
    }

    public bool ReceiveSnapshot(in RaftMessage announcement, ReadOnlyMemory<byte> snapshot)
    {
        RaftMessage message = announcement;
        Tell(() =>
        {
            if (message.Configuration is { } members && core.WantsSnapshot(message.Snapshot))
            {
                received[message.Snapshot.Index] = new(message.Snapshot.Index, message.Snapshot.Term, snapshot) { Configuration = members };
            }

            core.Receive(message, clock.Now, effects);
        });
        return true;
    }

    public void Unreachable(MemberId member) => Tell(() => core.Unreachable(member));

    /// <summary>
    /// A leader whose connection ends may have died: then nobody needs to wait out its time. If it lives, the others hear
    /// it still, and nobody gets their votes.
    /// </summary>
    public void Gone(MemberId member) => Tell(() =>
    {
        if (core.Leader == member && core.Role == RaftRole.Follower)
        {
            core.ForgetLeader(clock.Now, effects);
            campaignAt = clock.Now + prng.Between(ShortestWait, LongestWait);
        }
    });

    private void CampaignIfDue(Instant now)
    {
        if (now >= campaignAt)
        {
            campaignAt = Instant.Never;
            if (core.Leader.IsNone)
            {
                core.Campaign(now, effects);
            }
        }
    }
}

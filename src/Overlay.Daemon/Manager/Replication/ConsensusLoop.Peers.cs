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

    private static readonly TimeSpan SilenceLimit = TimeSpan.FromSeconds(4);

    /// <summary>When each member was last heard; guarded by the gate.</summary>
    private readonly Dictionary<MemberId, Instant> heard = [];

    /// <summary>Where members say they are, and what the store had at that time; guarded by the gate.</summary>
    private readonly Dictionary<MemberId, (string Stored, string Said)> moved = [];
    private volatile ImmutableDictionary<ulong, PeerAddress> directory = [];
    private volatile IPeerLinks? links;
    private Instant campaignAt = Instant.Never;

    public PeerSelf Self => setup.Self;

    /// <summary>What others have open here; a member that is none any more loses it.</summary>
    public IncomingStreams Streams { get; } = new();

    public Raft.Configuration Configuration => configuration;

    public QuorumView Quorum => QuorumWithout(MemberId.None);

    /// <summary>As it would be without one of them.</summary>
    public QuorumView QuorumWithout(MemberId member)
    {
        int reachable = 0;
        int total = 0;
        foreach (MemberId voter in configuration.Voters)
        {
            total += voter == member ? 0 : 1;
            reachable += voter != member && IsReachable(voter) ? 1 : 0;
        }

        return new(reachable, total, (total / 2) + 1);
    }

    /// <summary>
    /// Its ways are open; and it was heard of late, where it would be: by a leader, and while there is none, when members ask
    /// each other for votes. A way through which nothing comes looks open for long.
    /// </summary>
    public bool IsReachable(MemberId member)
    {
        if (member == Self.Member)
        {
            return true;
        }

        EngineView now = View;
        bool wouldTalk = now.IsLeader || now.Leader.IsNone;
        lock (gate)
        {
            return links?.IsConnected(member) == true
                && (!wouldTalk || (heard.TryGetValue(member, out Instant last) && clock.Now - last < SilenceLimit));
        }
    }

    /// <summary>The ways to the others; once.</summary>
    public void Connect(IPeerLinks ways)
    {
        // The loop runs already, and may hear of other managers at this moment.
        lock (gate)
        {
            links = ways;
            ways.Update([.. directory.Values]);
        }
    }

    /// <summary>All managers as the store knows them; this one may be among them.</summary>
    public void Know(IEnumerable<PeerAddress> managers)
    {
        PeerAddress[] stored = [.. managers.Where(p => !p.Member.IsNone && p.Member != Self.Member)];
        lock (gate)
        {
            ImmutableDictionary<ulong, PeerAddress> next = stored.Select(Placed).ToImmutableDictionary(static p => p.Member.Value);
            if (next.Count == directory.Count && next.Values.All(p => directory.TryGetValue(p.Member.Value, out PeerAddress known) && known == p))
            {
                return;
            }

            directory = next;
            foreach (MemberId gone in heard.Keys.Where(m => !next.ContainsKey(m.Value)).ToArray())
            {
                heard.Remove(gone);
                moved.Remove(gone);
            }

            links?.Update([.. next.Values]);
        }

        Streams.Cut(member => directory.ContainsKey(member.Value));
    }

    /// <summary>
    /// A member that came back at another address is answered there before the store has it: this may be the very one that
    /// is needed to write it. Who is there is proved by its certificate.
    /// </summary>
    public void IsAt(MemberId member, string address) => Tell(() =>
    {
        lock (gate)
        {
            if (directory.TryGetValue(member.Value, out PeerAddress known) && known.Address != address)
            {
                moved[member] = (moved.TryGetValue(member, out (string Stored, string Said) before) ? before.Stored : known.Address, address);
                directory = directory.SetItem(member.Value, known with { Address = address });
                links?.Update([.. directory.Values]);
            }
        }
    });

    public PeerAddress? AddressOf(MemberId member) =>
        directory.TryGetValue(member.Value, out PeerAddress peer) ? peer : null;

    public string? FaultOf(MemberId member, NodeId node) =>
        directory.TryGetValue(member.Value, out PeerAddress peer) && peer.Node == node
            ? null
            : $"Node {node} is not member {member} of this cluster's managers, as far as this manager knows.";

    /// <summary>Where it says that it is, until the store has anything newer.</summary>
    private PeerAddress Placed(PeerAddress stored)
    {
        if (!moved.TryGetValue(stored.Member, out (string Stored, string Said) place))
        {
            return stored;
        }

        if (place.Stored == stored.Address)
        {
            return stored with { Address = place.Said };
        }

        moved.Remove(stored.Member);
        return stored;
    }

    public bool Receive(in RaftMessage message)
    {
        lock (gate)
        {
            if (incoming.Count >= MaxMessages)
            {
                return false;
            }

            incoming.Add(message);
            heard[message.From] = clock.Now;
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

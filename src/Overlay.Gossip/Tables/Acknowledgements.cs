using Overlay.Primitives;

namespace Overlay.Gossip.Tables;

/// <summary>
/// What the holders of a network's table have of this node's own writes. They are asked a moment after a write, and
/// more rarely while they do not answer; when all have everything nobody is asked.
/// </summary>
internal sealed class Acknowledgements(MemberList members, TableStore store, TableSender sender)
{
    private const int AskedAtOnce = 16;
    private const int MaxWritesTimed = 1024;

    private static readonly TimeSpan FirstAsk = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(10);

    private readonly SortedDictionary<string, Writes> networks = new(StringComparer.Ordinal);

    public Instant NextDeadline { get; private set; } = Instant.Never;

    /// <summary>This node wrote, or a peer appeared that may lack what it wrote before.</summary>
    public void Expect(string network, Instant now)
    {
        if (network.Length == 0 || Own(network) is not { Version: > 0 } own)
        {
            return;
        }

        if (!networks.TryGetValue(network, out Writes? writes))
        {
            networks[network] = writes = new();
            Meet(network, writes, now);
        }

        writes.Note(own.Version, now);
        NextDeadline = Instant.Min(NextDeadline, now + FirstAsk);
    }

    /// <summary>Peers appeared among the network's holders: what they lack they lack since now.</summary>
    public void Notice(string network, Instant now)
    {
        Expect(network, now);
        if (networks.TryGetValue(network, out Writes? writes))
        {
            Meet(network, writes, now);
        }
    }

    /// <summary>The peer is here again, or in a new life: what it acknowledged before it may have lost.</summary>
    public void Returned(string peer, Instant now)
    {
        foreach ((string network, Writes writes) in networks)
        {
            writes.Drop(peer);
            if (store.IsAttached(peer, network))
            {
                writes.Of(peer, now);
                NextDeadline = Instant.Min(NextDeadline, now + FirstAsk);
            }
        }
    }

    public void Forget(string network) => networks.Remove(network);

    /// <summary>The peer said what it has of this node's writes.</summary>
    public void Heard(string network, string peer, ulong epoch, ulong version, Instant now)
    {
        if (networks.TryGetValue(network, out Writes? writes) && Own(network) is { } own && epoch == own.Epoch
            && version <= own.Version && store.IsAttached(peer, network))
        {
            PeerState state = writes.Of(peer, now);
            state.Epoch = epoch;
            state.Version = version;
            state.HeardAt = now;
            state.Tries = 0;
        }
    }

    public void Advance(Instant now, GossipEffects e)
    {
        if (now < NextDeadline)
        {
            return;
        }

        NextDeadline = Instant.Never;
        int asked = 0;
        foreach ((string network, Writes writes) in networks)
        {
            if (Own(network) is not { } own)
            {
                continue;
            }

            List<MemberEntry> audience = store.Audience(network);
            foreach (MemberEntry peer in audience)
            {
                PeerState state = writes.Of(peer.Name, now);
                if (Acknowledged(state, own) >= own.Version)
                {
                    continue;
                }

                if (state.AskAt <= now && asked < AskedAtOnce)
                {
                    asked++;
                    sender.Send(peer.Address, [new TableMessage.Question(network, own.Epoch, own.Version)], e);
                    TimeSpan wait = FirstAsk * Math.Pow(2, Math.Min(state.Tries++, 10));
                    state.AskAt = now + (wait < LongestWait ? wait : LongestWait);
                }

                NextDeadline = Instant.Min(NextDeadline, state.AskAt > now ? state.AskAt : now + FirstAsk);
            }

            writes.Keep(audience);
        }
    }

    /// <summary>One line for each live peer that holds the network's table.</summary>
    public IReadOnlyList<PeerLag> Of(string network, Instant now)
    {
        if (Own(network) is not { } own)
        {
            return [];
        }

        networks.TryGetValue(network, out Writes? writes);
        List<PeerLag> lines = [];
        foreach (MemberEntry peer in store.Audience(network).OrderBy(static p => p.Name, StringComparer.Ordinal))
        {
            PeerState? state = writes?.Find(peer.Name);
            ulong acknowledged = own.Version == 0 ? 0 : Acknowledged(state, own);
            Instant written = writes?.SinceOf(acknowledged) ?? now;
            Instant met = state?.MetAt ?? now;
            TimeSpan lag = acknowledged >= own.Version ? TimeSpan.Zero : now - (written > met ? written : met);
            lines.Add(new(peer.Name, acknowledged, own.Version, lag, state?.HeardAt));
        }

        return lines;
    }

    private void Meet(string network, Writes writes, Instant now)
    {
        foreach (MemberEntry peer in store.Audience(network))
        {
            writes.Of(peer.Name, now);
        }
    }

    private static ulong Acknowledged(PeerState? state, DigestLine own) =>
        state is not null && state.Epoch == own.Epoch ? state.Version : 0;

    private DigestLine? Own(string network) =>
        store.Find(network) is { Subscribed: true } table && table.Records.TryGetValue(members.Self.Name, out OwnerRecord? record)
            ? new(members.Self.Name, record.Table.Epoch, record.Table.Version)
            : null;

    private sealed class PeerState
    {
        /// <summary>Since when it could have been told.</summary>
        public required Instant MetAt { get; init; }

        public ulong Epoch { get; set; }

        public ulong Version { get; set; }

        public Instant? HeardAt { get; set; }

        public Instant AskAt { get; set; }

        public int Tries { get; set; }
    }

    private sealed class Writes
    {
        private readonly SortedDictionary<string, PeerState> peers = new(StringComparer.Ordinal);
        private readonly Queue<(ulong Version, Instant At)> recent = new();
        private ulong last;

        public void Note(ulong version, Instant now)
        {
            if (version < last)
            {
                // A new life counts from one again.
                recent.Clear();
            }

            if (version != last)
            {
                last = version;
                recent.Enqueue((version, now));
                if (recent.Count > MaxWritesTimed)
                {
                    recent.Dequeue();
                }
            }
        }

        public PeerState? Find(string peer) => peers.GetValueOrDefault(peer);

        public void Drop(string peer) => peers.Remove(peer);

        public PeerState Of(string peer, Instant now)
        {
            if (!peers.TryGetValue(peer, out PeerState? state))
            {
                peers[peer] = state = new() { MetAt = now };
            }

            return state;
        }

        /// <summary>Forgets who is gone, all that are here being known: when it is back it says anew what it has.</summary>
        public void Keep(List<MemberEntry> audience)
        {
            if (peers.Count > audience.Count)
            {
                SortedSet<string> here = new(audience.Select(static a => a.Name), StringComparer.Ordinal);
                foreach (string gone in peers.Keys.Where(p => !here.Contains(p)).ToList())
                {
                    peers.Remove(gone);
                }
            }
        }

        /// <summary>When the first write after this version was made.</summary>
        public Instant? SinceOf(ulong version)
        {
            foreach ((ulong written, Instant at) in recent)
            {
                if (written > version)
                {
                    return at;
                }
            }

            return null;
        }
    }
}

using Overlay.Primitives;

namespace Overlay.Gossip.Tables;

/// <summary>
/// Spreads own writes at once, passes on what others wrote, and compares with peers so that every copy becomes equal
/// however much was lost: fingerprints, then versions per owner, then exactly the missing writes.
/// </summary>
internal sealed partial class TableSync(
    SwimOptions options, MemberList members, TableStore store, TableSender sender, Outbox outbox, Prng prng,
    GossipCounters counters)
{
    private static readonly TimeSpan AskAgain = TimeSpan.FromMilliseconds(300);

    /// <summary>After the last change tables are compared at the full pace for so long.</summary>
    private static readonly TimeSpan Busy = TimeSpan.FromSeconds(6);

    private readonly Eager eager = new(options, members, store, sender, outbox);
    private readonly Acknowledgements acknowledgements = new(members, store, sender);
    private readonly SortedDictionary<string, (Instant At, int Tries)> hungry = new(StringComparer.Ordinal);
    private Instant nextSummary = Instant.Never;
    private Instant busyUntil;
    private int turn;

    /// <summary>A boot id that a peer believes to be ours, with writes that are not; cleared by the reader.</summary>
    public ulong OutbidBootId { get; set; }

    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Min(acknowledgements.NextDeadline, Instant.Min(nextSummary, eager.NextDeadline));
            if (hungry.Count > 0)
            {
                foreach ((string network, (Instant At, int Tries) state) in hungry)
                {
                    next = state.At < next && store.HasAudience(network) ? state.At : next;
                }
            }

            return next;
        }
    }

    public void Start(Instant now)
    {
        busyUntil = now + Busy;
        nextSummary = now + Jittered(now);
    }

    public void Stop()
    {
        nextSummary = Instant.Never;
        hungry.Clear();
        eager.Clear();
    }

    public void Subscribe(string network, Instant now, GossipEffects e)
    {
        if (store.Subscribe(network, now, e) is { } attachment)
        {
            Spread([attachment], now, e);
            hungry[network] = (now, 0);
            Ask(network, now, e);
        }
    }

    public void Unsubscribe(string network, Instant now, GossipEffects e)
    {
        if (store.IsHeld(network) && network.Length > 0)
        {
            hungry.Remove(network);
            acknowledgements.Forget(network);
            Spread(store.Unsubscribe(network, now, e), now, e);
        }
    }

    /// <summary>Sends own writes to everyone who holds their network, or to some who pass them on.</summary>
    public void Spread(IReadOnlyList<TableMessage.Delta> writes, Instant now, GossipEffects e)
    {
        Hurry(now);
        eager.Spread(writes, prng, now, e);
        foreach (TableMessage.Delta write in writes)
        {
            acknowledgements.Expect(write.Network, now);
        }
    }

    /// <summary>What the network's other holders have of this node's writes.</summary>
    public IReadOnlyList<PeerLag> LagOf(string network, Instant now) => acknowledgements.Of(network, now);

    public void Advance(Instant now, GossipEffects e)
    {
        eager.Advance(now, e);
        acknowledgements.Advance(now, e);
        NoticePeers(now, e);
        if (hungry.Count > 0)
        {
            foreach (string network in hungry.Where(h => h.Value.At <= now).Select(h => h.Key).ToList())
            {
                Ask(network, now, e);
            }
        }

        if (now >= nextSummary)
        {
            nextSummary = now + Jittered(now);
            store.Prune(now);
            Compare(e);
        }
    }

    /// <summary>Peers that just became known to hold a network that we still wait for are asked at once.</summary>
    public void NoticePeers(Instant now, GossipEffects e)
    {
        foreach (string network in store.NetworksWithNewPeers)
        {
            Hurry(now);
            acknowledgements.Notice(network, now);
            if (hungry.TryGetValue(network, out (Instant At, int Tries) state) && state.Tries == 0)
            {
                Ask(network, now, e);
            }
        }

        store.NetworksWithNewPeers.Clear();
    }

    /// <summary>The peer is alive again, or in a new life.</summary>
    public void Returned(string peer, Instant now) => acknowledgements.Returned(peer, now);

    public byte[] RequestUserState() => sender.State(store.Subscribed.SelectMany(Digests));

    /// <summary>What the dialer of a push/pull lacks, and what we want of it.</summary>
    public byte[] AnswerUserState(ReadOnlySpan<byte> request)
    {
        List<TableMessage> answers = [];
        List<TableMessage> asked = [];
        if (TableCodec.TryDecode(request, out _, asked))
        {
            foreach (TableMessage.Digest digest in asked.OfType<TableMessage.Digest>())
            {
                answers.AddRange(Answer(digest));
            }
        }

        return sender.State(answers.OrderBy(a => a is TableMessage.Want ? 0 : 1));
    }

    private List<TableMessage> Answer(TableMessage.Digest digest)
    {
        if (store.Find(digest.Network) is not { Subscribed: true } table)
        {
            return [];
        }

        var theirs = new SortedDictionary<string, DigestLine>(StringComparer.Ordinal);
        foreach (DigestLine line in digest.Lines)
        {
            theirs[line.Owner] = line;
        }

        List<TableMessage> answers = [];
        foreach (DigestLine mine in table.Lines(digest.After, digest.Through))
        {
            answers.AddRange(Lacking(table, theirs.GetValueOrDefault(mine.Owner, new(mine.Owner, 0, 0))));
        }

        List<DigestLine> wanted = [.. theirs.Values.Where(t => IsAhead(table, t)).Select(t => Mine(table, t.Owner))];
        if (wanted.Count > 0)
        {
            answers.Add(new TableMessage.Want(digest.Network, wanted));
        }

        // An answer in any case: the asker may be waiting for one. An empty want asks for nothing, so it ends the talk.
        return answers.Count > 0 ? answers : [new TableMessage.Want(table.Name, [])];
    }

    private IEnumerable<TableMessage> Answer(TableMessage.Want want) =>
        store.Find(want.Network) is { Subscribed: true } table
            ? want.Lines.Take(options.MaxMembers).SelectMany(line => Lacking(table, line))
            : [];

    /// <summary>What somebody with this line lacks of the owner.</summary>
    private IEnumerable<TableMessage> Lacking(NetworkTable table, DigestLine theirs)
    {
        if (!table.Records.TryGetValue(theirs.Owner, out OwnerRecord? record) || record.Table.Epoch < theirs.Epoch)
        {
            return [];
        }

        ulong from = record.Table.Epoch == theirs.Epoch ? theirs.Version : 0;
        if (from >= record.Table.Version)
        {
            return [];
        }

        counters.DeltasRepaired++;
        return record.Table.Since(table.Name, theirs.Owner, from, sender.ItemBytes);
    }

    private bool IsAhead(NetworkTable table, DigestLine theirs)
    {
        if (store.IsOwnFormerLife(table.Name, theirs))
        {
            OutbidBootId = Math.Max(OutbidBootId, theirs.Epoch);
            return false;
        }

        DigestLine mine = Mine(table, theirs.Owner);
        return !members.IsSelf(theirs.Owner)
            && !store.Refuses(theirs.Owner, theirs.Epoch)
            && (theirs.Epoch > mine.Epoch || (theirs.Epoch == mine.Epoch && theirs.Version > mine.Version));
    }

    private static DigestLine Mine(NetworkTable table, string owner) =>
        table.Records.TryGetValue(owner, out OwnerRecord? record)
            ? new(owner, record.Table.Epoch, record.Table.Version)
            : new(owner, 0, 0);

    /// <summary>All that we have of a network, in pieces of one packet.</summary>
    private IEnumerable<TableMessage> Digests(NetworkTable table)
    {
        const int LineBytes = 24;
        string after = "";
        List<DigestLine> lines = [];
        int room = sender.ItemBytes;
        foreach (DigestLine line in table.Lines("", ""))
        {
            if (room < line.Owner.Length + LineBytes)
            {
                yield return new TableMessage.Digest(table.Name, after, lines[^1].Owner, lines);
                after = lines[^1].Owner;
                lines = [];
                room = sender.ItemBytes;
            }

            lines.Add(line);
            room -= line.Owner.Length + LineBytes;
        }

        yield return new TableMessage.Digest(table.Name, after, "", lines);
    }

    /// <summary>Tells one peer the fingerprints of what both may hold; the networks take turns to choose it.</summary>
    private void Compare(GossipEffects e)
    {
        List<NetworkTable> held = [.. store.Subscribed];
        turn = (turn + 1) % held.Count;
        List<MemberEntry> chosen = store.PickAudience(held[turn].Name, 1);
        if (chosen.Count == 0)
        {
            chosen = store.PickAudience(TableStore.Attachments, 1);
        }

        foreach (MemberEntry peer in chosen)
        {
            List<NetworkFingerprint> lines = [.. held
                .Where(n => store.IsAttached(peer.Name, n.Name))
                .Select(n => new NetworkFingerprint(n.Name, n.Fingerprint))];
            sender.Send(peer.Address, lines.Chunk(24).Select(c => new TableMessage.Summary(c)), e);
        }
    }

    private void Ask(string network, Instant now, GossipEffects e)
    {
        const int MaxTries = 10;
        List<MemberEntry> audience = store.Audience(network);
        int tries = hungry[network].Tries;
        if (audience.Count == 0)
        {
            // Nothing to wait for until a peer appears.
            hungry[network] = (now + AskAgain, 0);
            return;
        }

        if (tries >= MaxTries)
        {
            hungry.Remove(network);
            return;
        }

        hungry[network] = (now + AskAgain, tries + 1);
        TableMessage.Delta attachment = store.AttachmentOf(network);
        // Each sends all that is missing, so a second one only where the first said nothing.
        int asked = tries == 0 ? 1 : 2;
        for (int i = 0; i < asked && audience.Count > 0; i++)
        {
            int chosen = prng.Next(audience.Count);
            sender.Send(audience[chosen].Address, [attachment, .. Digests(store.Find(network)!)], e);
            audience.RemoveAt(chosen);
        }
    }

    private void Fed(string network)
    {
        if (network.Length > 0)
        {
            hungry.Remove(network);
        }
    }

    /// <summary>Something changes: compare at the full pace.</summary>
    private void Hurry(Instant now)
    {
        if (now >= busyUntil && nextSummary != Instant.Never)
        {
            nextSummary = Instant.Min(nextSummary, now + (options.TableSyncInterval * (0.5 + (0.5 * prng.NextDouble()))));
        }

        busyUntil = now + Busy;
    }

    private TimeSpan Jittered(Instant now) =>
        options.TableSyncInterval * (now < busyUntil ? 0.75 + (0.5 * prng.NextDouble()) : 1.5 + prng.NextDouble());
}

using System.Text;
using Overlay.Primitives;

namespace Overlay.Gossip.Tables;

/// <summary>
/// The tables this node holds: its own, and those of the networks it is attached to. Who is attached to what is
/// itself a table, with the empty name, that every node holds.
/// </summary>
internal sealed class TableStore
{
    /// <summary>The table of attachments: each owner's keys are the networks it is attached to.</summary>
    public const string Attachments = "";

    private readonly SortedDictionary<string, NetworkTable> networks = new(StringComparer.Ordinal);

    /// <summary>The same tables, found by a part of a packet.</summary>
    private readonly Dictionary<string, NetworkTable> byName = new(StringComparer.Ordinal);
    private readonly SwimOptions options;
    private readonly MemberList members;
    private bool settled;

    public TableStore(SwimOptions options, MemberList members)
    {
        this.options = options;
        this.members = members;
        NetworkTable attachments = Open(Attachments);
        attachments.Subscribed = true;
    }

    public enum MergeOutcome
    {
        Nothing,
        News,

        /// <summary>News, or none, and writes are still missing.</summary>
        Behind,
        Refused,

        /// <summary>Somebody says that we wrote what we did not: a former life. A new epoch is needed.</summary>
        OwnLife,
    }

    public IEnumerable<NetworkTable> Subscribed => networks.Values.Where(n => n.Subscribed);

    public IEnumerable<NetworkTable> All => networks.Values;

    /// <summary>Attachments that became visible or vanished since the last look; the reader clears it.</summary>
    public List<string> NetworksWithNewPeers { get; } = [];

    public NetworkTable? Find(string network) => networks.GetValueOrDefault(network);

    public NetworkTable? Find(ReadOnlySpan<byte> utf8)
    {
        Span<char> name = stackalloc char[TableCodec.MaxTextBytes];
        return utf8.Length <= name.Length && byName.GetAlternateLookup<ReadOnlySpan<char>>()
            .TryGetValue(name[..Encoding.UTF8.GetChars(utf8, name)], out NetworkTable? table) ? table : null;
    }

    public bool IsHeld(string network) => networks.TryGetValue(network, out NetworkTable? n) && n.Subscribed;

    public bool IsAttached(string owner, string network) =>
        network.Length == 0 || networks[Attachments].IsVisible(owner, network);

    /// <summary>The live peers that hold this network's table.</summary>
    public List<MemberEntry> Audience(string network) =>
        [.. members.Others.Where(m => IsAudience(m, network))];

    public bool HasAudience(string network) => members.Others.Any(m => IsAudience(m, network));

    /// <summary>Up to so many different random peers that hold this network's table.</summary>
    public List<MemberEntry> PickAudience(string network, int count) =>
        members.Ring.Pick(count, m => IsAudience(m, network));

    public TableMessage.Delta? Subscribe(string network, Instant now, GossipEffects e)
    {
        NetworkTable table = Open(network);
        if (table.Subscribed)
        {
            return null;
        }

        table.Subscribed = true;
        table.SubscribedAt = now;
        Write(Attachments, network, Array.Empty<byte>(), now, e);
        return LastWrite(Attachments, network);
    }

    /// <summary>Deletes the own entries, forgets the others', and tells that we are no longer attached.</summary>
    public List<TableMessage.Delta> Unsubscribe(string network, Instant now, GossipEffects e)
    {
        List<TableMessage.Delta> farewell = [];
        NetworkTable table = networks[network];
        foreach (string key in OwnTable(network).Entries.Select(x => x.Key).ToList())
        {
            Write(network, key, null, now, e);
            farewell.Add(LastWrite(network, key));
        }

        Write(Attachments, network, null, now, e);
        farewell.Add(LastWrite(Attachments, network));
        foreach (string owner in table.Records.Keys.Where(o => !members.IsSelf(o)).ToList())
        {
            Drop(table, owner, e);
        }

        table.Subscribed = false;
        return farewell;
    }

    public PutOutcome CheckPut(string network, string key, int valueBytes)
    {
        if (network.Length == 0 || !IsHeld(network))
        {
            return PutOutcome.NotSubscribed;
        }

        OwnerTable own = OwnTable(network);
        return Encoding.UTF8.GetByteCount(key) > options.MaxKeyBytes ? PutOutcome.KeyTooLong
            : valueBytes > options.MaxValueBytes ? PutOutcome.ValueTooLong
            : own.Find(key) is null && own.Count >= options.MaxEntriesPerOwner ? PutOutcome.TooManyEntries
            : PutOutcome.Done;
    }

    /// <summary>An own write, checked by the caller.</summary>
    public void Write(string network, string key, ReadOnlyMemory<byte>? value, Instant now, GossipEffects e)
    {
        OwnTable(network).Write(key, value, now);
        Publish(networks[network], members.Self.Name, [key], e);
    }

    public bool HasOwn(string network, string key) => OwnValue(network, key) is not null;

    public ReadOnlyMemory<byte>? OwnValue(string network, string key) =>
        network.Length > 0 && IsHeld(network) ? OwnTable(network).Find(key) : default(ReadOnlyMemory<byte>?);

    public TableMessage.Delta LastWrite(string network, string key)
    {
        OwnerTable own = OwnTable(network);
        ulong version = own.Version;
        return new(
            network, members.Self.Name, own.Epoch, version - 1, version, version, own.Settled, own.Pruned,
            [new(key, version, own.Find(key))]);
    }

    /// <summary>Whether some peers may not have heard of our attachment yet.</summary>
    public bool IsNewlyAttached(string network, Instant now) =>
        networks[network] is { Subscribed: true } table && now - table.SubscribedAt < TimeSpan.FromSeconds(10);

    /// <summary>Our attachment to the network, for peers that may not have heard of it.</summary>
    public TableMessage.Delta AttachmentOf(string network)
    {
        OwnerTable own = OwnTable(Attachments);
        ulong version = own.VersionOf(network);
        return new(
            Attachments, members.Self.Name, own.Epoch, version - 1, version, own.Version, own.Settled, own.Pruned,
            [new(network, version, own.Find(network))]);
    }

    /// <summary>This life's tables are complete; tables made later are so from their first write.</summary>
    public List<TableMessage.Delta> Settle()
    {
        List<TableMessage.Delta> told = [];
        if (settled)
        {
            return told;
        }

        settled = true;
        foreach (NetworkTable table in networks.Values)
        {
            OwnerTable own = OwnTable(table.Name);
            own.Settle();
            told.Add(new(
                table.Name, members.Self.Name, own.Epoch, own.Version - 1, own.Version, own.Version, own.Settled,
                own.Pruned, []));
        }

        return told;
    }

    public void Renew(ulong epoch, Instant now)
    {
        foreach (NetworkTable table in networks.Values)
        {
            OwnTable(table.Name).Renew(epoch, now);
        }
    }

    /// <summary>Whether <see cref="Merge"/> would learn nothing: most of what is passed on is known already.</summary>
    public bool IsKnown(in TableFields delta) =>
        members.Find(delta.Owner) is { } owner
        && Find(delta.Network) is { Subscribed: true } table
        && (ReferenceEquals(owner, members.Self)
            ? !IsOwnFormerLife(table.Name, new(owner.Name, delta.Epoch, delta.Head))
            : table.Records.TryGetValue(owner.Name, out OwnerRecord? record) && record.Knows(delta));

    public MergeOutcome Merge(TableMessage.Delta delta, Instant now, GossipEffects e)
    {
        if (members.IsSelf(delta.Owner))
        {
            return IsOwnFormerLife(delta.Network, new(delta.Owner, delta.Epoch, delta.Head))
                ? MergeOutcome.OwnLife
                : MergeOutcome.Nothing;
        }

        if (!networks.TryGetValue(delta.Network, out NetworkTable? table) || !table.Subscribed
            || Refuses(delta.Owner, delta.Epoch))
        {
            return MergeOutcome.Nothing;
        }

        bool isNewOwner = !table.Records.TryGetValue(delta.Owner, out OwnerRecord? record);
        if ((isNewOwner && table.Records.Count > options.MaxMembers) || !IsWithinLimits(delta, record?.Table))
        {
            return MergeOutcome.Refused;
        }

        record ??= table.Open(delta.Owner, delta.Epoch);
        List<string> touched = [];
        bool news = record.Merge(delta, now, touched);
        Publish(table, delta.Owner, touched, e);
        return record.Table.IsBehind && record.Table.Epoch == delta.Epoch ? MergeOutcome.Behind
            : news ? MergeOutcome.News
            : MergeOutcome.Nothing;
    }

    /// <summary>True where this is about writes that this node did not make in this life.</summary>
    public bool IsOwnFormerLife(string network, DigestLine line)
    {
        if (!members.IsSelf(line.Owner) || line.Epoch > Protocol.MaxBootId)
        {
            return false;
        }

        ulong version = networks.TryGetValue(network, out NetworkTable? table)
            && table.Records.TryGetValue(line.Owner, out OwnerRecord? own) ? own.Table.Version : 0;
        return line.Epoch > members.Self.BootId || (line.Epoch == members.Self.BootId && line.Version > version);
    }

    /// <summary>The owner's liveness changed, or it is gone.</summary>
    public void OwnerChanged(string owner, GossipEffects e)
    {
        // Attachments first: they decide about the rest.
        foreach (NetworkTable table in networks.Values)
        {
            PublishAll(table, owner, e);
        }
    }

    /// <summary>Whether the owner's life of this epoch is over.</summary>
    public bool Refuses(string owner, ulong epoch) =>
        epoch > Protocol.MaxBootId || members.Obituaries.RefusesTable(owner, epoch, members.Find(owner) is not null);

    /// <summary>The newest life of the owner that wrote anything here; 0: none did.</summary>
    public ulong EpochOf(string owner) => networks.Values
        .Select(n => n.Records.TryGetValue(owner, out OwnerRecord? record) ? record.Table.Epoch : 0)
        .Max();

    /// <summary>Owners of entries that are not members.</summary>
    public IEnumerable<string> Strangers => networks.Values
        .SelectMany(n => n.Records.Keys)
        .Where(o => members.Find(o) is null)
        .Distinct(StringComparer.Ordinal);

    public void Forget(string owner, GossipEffects e)
    {
        foreach (NetworkTable table in networks.Values)
        {
            Drop(table, owner, e);
        }
    }

    public void Prune(Instant now)
    {
        Instant before = now - options.TombstoneRetention;
        foreach (NetworkTable table in networks.Values)
        {
            foreach (OwnerRecord record in table.Records.Values)
            {
                record.Table.Prune(before, options.MaxTombstones);
            }
        }
    }

    public TableSummary Summarize(NetworkTable table) => new(
        table.Name,
        table.Subscribed,
        table.Entries.Count(),
        table.Fingerprint,
        [.. table.Records.Select(r => new OwnerSummary(
            r.Key,
            r.Value.Table.Epoch,
            r.Value.Table.Version,
            r.Value.Table.Head,
            r.Value.Table.Count,
            r.Value.Table.Tombstones,
            !r.Value.HasFormerLife,
            IsShown(r.Key, table.Name)))]);

    private NetworkTable Open(string network)
    {
        if (!networks.TryGetValue(network, out NetworkTable? table))
        {
            table = new(network);
            networks.Add(network, table);
            byName.Add(network, table);
            OwnerRecord own = table.Open(members.Self.Name, members.Self.BootId);
            if (settled)
            {
                own.Table.SettleFromStart();
            }
        }

        return table;
    }

    private OwnerTable OwnTable(string network) => networks[network].Records[members.Self.Name].Table;

    private bool IsAudience(MemberEntry member, string network) =>
        member.IsLive && member.IsOurs && IsAttached(member.Name, network);

    private bool IsShown(string owner, string network) =>
        (members.IsSelf(owner) || members.Find(owner) is { IsPresent: true }) && IsAttached(owner, network);

    private bool IsWithinLimits(TableMessage.Delta delta, OwnerTable? table)
    {
        int maxEntries = delta.Network.Length == 0 ? options.MaxNetworks : options.MaxEntriesPerOwner;
        return (table?.Count ?? 0) + (table?.Tombstones ?? 0) + delta.Items.Count <= (2 * maxEntries) + (2 * options.MaxTombstones)
            && delta.Owner.Length <= options.MaxNameBytes
            && delta.Items.All(i => i.Key.Length <= options.MaxKeyBytes
                && (i.Value is not { } value || value.Length <= options.MaxValueBytes));
    }

    private void Publish(NetworkTable table, string owner, List<string> keys, GossipEffects e)
    {
        List<GossipEvent.EntryChanged> changes = [];
        table.Refresh(owner, keys, IsShown(owner, table.Name), changes);
        Announce(table, owner, changes, e);
    }

    private void PublishAll(NetworkTable table, string owner, GossipEffects e)
    {
        List<GossipEvent.EntryChanged> changes = [];
        table.RefreshAll(owner, IsShown(owner, table.Name), changes);
        Announce(table, owner, changes, e);
    }

    private void Announce(NetworkTable table, string owner, List<GossipEvent.EntryChanged> changes, GossipEffects e)
    {
        if (table.Name.Length > 0)
        {
            e.Events.AddRange(changes);
            return;
        }

        foreach (GossipEvent.EntryChanged change in changes)
        {
            if (!networks.TryGetValue(change.Key, out NetworkTable? network) || network.Name.Length == 0)
            {
                continue;
            }

            bool detached = change.Value is null && table.Records.TryGetValue(owner, out OwnerRecord? record)
                && record.Table.IsSettled && record.Find(change.Key) is null;
            if (detached && !members.IsSelf(owner))
            {
                Drop(network, owner, e);
            }
            else
            {
                PublishAll(network, owner, e);
                NetworksWithNewPeers.Add(network.Name);
            }
        }
    }

    private void Drop(NetworkTable table, string owner, GossipEffects e)
    {
        if (table.Remove(owner))
        {
            PublishAll(table, owner, e);
        }
    }
}

using System.Net;
using Overlay.Gossip;
using Overlay.Gossip.Tables;
using Overlay.Gossip.Wire;
using Overlay.Primitives;

namespace Overlay.Simulation.Gossip;

/// <summary>What must hold at every moment of every run (gossip anchors §6), and in the end.</summary>
internal sealed class RulesWatch
{
    /// <summary>What must have happened in many runs; a watch that sees nothing proves nothing.</summary>
    public static readonly string[] Expected =
        ["crash", "restart", "paused", "blocked", "starved", "partition", "one-way block", "lossy node", "meta changed", "leave",
         "suspicion", "death", "left", "return from the dead", "refutation", "table write", "entry shown", "converged", "packet replayed",
         "held down"];

    private const string Network = "net";

    /// <summary>Rumours and late packets of a life are gone by then.</summary>
    private static readonly TimeSpan RumourLife = TimeSpan.FromSeconds(60);

    private readonly GossipWorld world;
    private readonly bool trace;
    private readonly SortedDictionary<(int Node, int Life, string Member), Member> last = [];
    private readonly SortedDictionary<(int Node, int Life, string Owner), (ulong Epoch, ulong Version)> versions = [];
    private readonly List<(int To, IPEndPoint From, ReadOnlyMemory<byte> Payload)> recorded = [];
    private Instant lastLook;
    private int looks;

    public RulesWatch(GossipWorld world, bool trace)
    {
        this.world = world;
        this.trace = trace;
        world.Observer = Hear;
        world.Recorder = Record;
    }

    public void BeginCalm() => recorded.Clear();

    public bool IsConverged()
    {
        LookAtTables();
        return Difference().Length == 0;
    }

    /// <summary>What is not as it should be when everything works; empty where all agree.</summary>
    public string Difference()
    {
        string[] live = [.. world.Live.Select(static n => n.Name)];
        string? table = null;
        foreach (GossipNode node in world.Live)
        {
            string[] alive = [.. node.Swim.Members.Where(static m => m.State == MemberState.Alive).Select(static m => m.Name)];
            if (!alive.SequenceEqual(live))
            {
                return $"{node.Name} sees {string.Join(' ', alive)}; up are {string.Join(' ', live)}";
            }

            string mine = string.Join(' ', node.Swim.Entries(Network).Where(e => live.Contains(e.Owner))
                .Select(static e => $"{e.Owner}/{e.Key}={Convert.ToHexString(e.Value.Span)}"));
            table ??= mine;
            if (table != mine)
            {
                return $"{node.Name} has another table: {mine} and not {table}";
            }
        }

        return "";
    }

    /// <summary>Every packet of the last minutes comes once more.</summary>
    public void ReplayChangesNothing()
    {
        world.Recorder = null;
        world.Run(TimeSpan.FromSeconds(30));
        // The return of one that flapped counts after a quiet time, which is a change of its own.
        world.RunUntil(SwimOptions.Lan.MaxFlapQuiet, TimeSpan.FromSeconds(1), () => world.Live.All(
            static n => n.Swim.Members.All(static m => m.Presence != Presence.HeldDown)));
        string before = Summary();
        foreach ((int to, IPEndPoint from, ReadOnlyMemory<byte> payload) in recorded.Take(4000))
        {
            GossipNode node = world.Nodes[to];
            if (node.IsUp)
            {
                world.Counters.Add("packet replayed");
                world.Do(node, (s, now, e) => s.Receive(from, payload.Span, now, e));
            }
        }

        Same(before, Summary(), "packets that came again changed something");
        world.Run(TimeSpan.FromSeconds(5));
        Same(before, Summary(), "packets that came again changed something later");
    }

    private static void Same(string before, string after, string otherwise)
    {
        foreach ((string was, string now) in before.Split(' ', '\n').Zip(after.Split(' ', '\n')))
        {
            Require(was == now, $"{otherwise}: {was} became {now}");
        }

        Require(before == after, otherwise);
    }

    /// <summary>What each node knows, in the order of the nodes.</summary>
    private string Summary() => string.Join('\n', world.Live.Select(n => string.Join(' ', n.Swim.Members
        .Select(static m => $"{m.Name}:{m.State}:{m.BootId}:{m.Incarnation}")) + string.Join(' ', n.Swim.Entries(Network)
        .Select(static e => $"{e.Owner}/{e.Key}={Convert.ToHexString(e.Value.Span)}"))));

    private void Record(GossipNode from, Datagram datagram)
    {
        if (recorded.Count < 4000 && world.Nodes.FirstOrDefault(n => n.Address.Equals(datagram.To)) is { } to)
        {
            recorded.Add((to.Index, from.Address, datagram.Payload));
        }
    }

    private void Hear(GossipNode node, GossipEvent change)
    {
        world.Say($"{node.Index} {change}", trace);
        switch (change)
        {
            case GossipEvent.MemberChanged { Member: var member }:
                HearOf(node, member);
                break;
            case GossipEvent.EntryChanged:
                world.Counters.Add("entry shown");
                break;
            default:
                break;
        }

        Require(node.Swim.QueuedRumours <= world.Nodes.Length, $"{node.Name} has more rumours waiting than there are members");
        if (world.Now - lastLook > TimeSpan.FromSeconds(1))
        {
            lastLook = world.Now;
            LookAtTables();
        }
    }

    private void HearOf(GossipNode node, Member member)
    {
        (int Index, int Life, string Name) key = (node.Index, node.Life, member.Name);
        if (last.TryGetValue(key, out Member? before))
        {
            Require(member.BootId >= before.BootId, $"{node.Name}: the boot id of {member.Name} went down");
            Require(
                member.BootId > before.BootId || member.Incarnation >= before.Incarnation,
                $"{node.Name}: the incarnation of {member.Name} went down");
            world.Counters.Add(member.Presence == Presence.HeldDown ? "held down" : "not held down");
            bool returns = member.IsLive && !before.IsLive;
            world.Counters.Add(returns ? "return from the dead" : "change");
            GossipNode subject = world.Nodes.First(n => n.Name == member.Name);
            Require(
                !returns || subject.IsUp || world.Now - subject.CrashedAt < RumourLife,
                $"{node.Name}: {member.Name} rose from the dead though it has been down since {subject.CrashedAt}");
        }

        Require(
            member.Name != node.Name || member.State is MemberState.Alive or MemberState.Left, $"{node.Name} takes itself for {member.State}");
        world.Counters.Add(member.State switch
        {
            MemberState.Suspect => "suspicion",
            MemberState.Dead => "death",
            MemberState.Left => "left",
            _ => "alive",
        });
        last[key] = member;
    }

    private void LookAtTables()
    {
        looks++;
        foreach (GossipNode node in world.Live)
        {
            Require(node.Swim.Find(node.Name) is { State: MemberState.Alive or MemberState.Left }, $"{node.Name} has lost itself");
            if (node.Swim.Counters.Refutations > 0 && looks % 8 == 0)
            {
                world.Counters.Add("refutation");
            }

            foreach (OwnerSummary owner in node.Swim.Summarize(Network)?.Owners ?? [])
            {
                (ulong Epoch, ulong Version) now = (owner.Epoch, owner.Version);
                (int Index, int Life, string Owner) key = (node.Index, node.Life, owner.Owner);
                Require(
                    !versions.TryGetValue(key, out (ulong Epoch, ulong Version) then) || now.CompareTo(then) >= 0,
                    $"{node.Name}: the table of {owner.Owner} went back from {then} to {now}");
                versions[key] = now;
            }
        }
    }

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new ViolationException(otherwise);
        }
    }
}

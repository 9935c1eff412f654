using System.Text;
using Overlay.Gossip.Tables;
using Overlay.Primitives;

namespace Overlay.Tests.Gossip.Tables;

public sealed class OwnerTableTests
{
    private static readonly Instant Now = new(1_000_000_000_000);

    /// <summary>
    /// Copies that get any pieces of any copy's differences in any order never show what the owner did not write
    /// last, once they are complete; and any two complete copies are equal.
    /// </summary>
    [Fact]
    public void Copies_converge_from_any_pieces_in_any_order()
    {
        int neededWhole = 0;
        for (ulong seed = 1; seed <= 300; seed++)
        {
            var prng = new Prng(seed);
            var owner = new OwnerTable(1);
            OwnerTable[] copies = [new(1), new(1), new(1)];
            List<TableMessage.Delta> inFlight = [];
            for (int step = 0; step < 150; step++)
            {
                Step(prng, owner, copies, inFlight, step);
            }

            foreach (OwnerTable copy in copies)
            {
                neededWhole += copy.Version < owner.Pruned ? 1 : 0;
                foreach (TableMessage.Delta delta in owner.Since("n", "o", copy.Version, 60))
                {
                    copy.Merge(delta, Now, []);
                }

                Assert.Equal(owner.Version, copy.Version);
                Assert.False(copy.IsBehind);
                Assert.Equal(Show(owner), Show(copy));
            }
        }

        Assert.True(neededWhole > 20, $"only {neededWhole} copies were behind forgotten deletions");
    }

    [Fact]
    public void A_replaced_entry_does_not_vanish_between_two_pieces()
    {
        var owner = new OwnerTable(1);
        owner.Write("a", "1"u8.ToArray(), Now);
        owner.Write("b", "1"u8.ToArray(), Now);
        var copy = new OwnerTable(1);
        Merge(copy, owner.Since("n", "o", 0, 1000));
        owner.Write("x", null, Now);
        owner.Prune(Now + TimeSpan.FromDays(1), 0);
        owner.Write("a", "2"u8.ToArray(), Now);
        TableMessage.Delta[] pieces = [.. owner.Since("n", "o", copy.Version, 1)];
        Assert.Equal([0ul, 2ul], pieces.Select(p => p.From));
        copy.Merge(pieces[0], Now, []);
        Assert.Equal("a=1 b=1", Show(copy));
        copy.Merge(pieces[1], Now, []);
        Assert.Equal("a=2 b=1", Show(copy));
    }

    [Fact]
    public void A_pruned_deletion_is_told_by_a_whole_table()
    {
        var owner = new OwnerTable(1);
        owner.Write("a", "1"u8.ToArray(), Now);
        var copy = new OwnerTable(1);
        Merge(copy, owner.Since("n", "o", 0, 1000));
        owner.Write("a", null, Now);
        owner.Write("b", "1"u8.ToArray(), Now);
        owner.Prune(Now + TimeSpan.FromDays(1), 0);
        Assert.Equal(0, owner.Tombstones);
        Merge(copy, owner.Since("n", "o", copy.Version, 1000));
        Assert.Equal("b=1", Show(copy));
        Assert.Equal(owner.Pruned, copy.Pruned);
    }

    [Fact]
    public void Too_many_deletions_are_forgotten_oldest_first()
    {
        var owner = new OwnerTable(1);
        for (int i = 0; i < 10; i++)
        {
            owner.Write($"k{i}", null, Now);
        }

        owner.Prune(Now - TimeSpan.FromDays(1), 4);
        Assert.Equal((4, 6ul), (owner.Tombstones, owner.Pruned));
    }

    [Fact]
    public void A_late_rumour_of_a_deleted_entry_is_ignored()
    {
        var owner = new OwnerTable(1);
        owner.Write("a", "1"u8.ToArray(), Now);
        TableMessage.Delta rumour = owner.Since("n", "o", 0, 1000).Single();
        owner.Write("a", null, Now);
        var copy = new OwnerTable(1);
        Merge(copy, owner.Since("n", "o", 0, 1000));
        copy.Prune(Now + TimeSpan.FromDays(1), 0);
        Assert.False(copy.Merge(rumour, Now, []));
        Assert.Equal("", Show(copy));
    }

    private static void Step(
        Prng prng, OwnerTable owner, OwnerTable[] copies, List<TableMessage.Delta> inFlight, int step)
    {
        switch (prng.Next(6))
        {
            case 0 or 1:
                string key = $"k{prng.Next(8)}";
                owner.Write(key, prng.Chance(0.4) ? default(ReadOnlyMemory<byte>?) : new byte[] { (byte)step }, Now);
                inFlight.AddRange(owner.Since("n", "o", owner.Version - 1, 1000));
                break;
            case 2:
                OwnerTable from = prng.Chance(0.3) ? owner : copies[prng.Next(copies.Length)];
                ulong version = copies[prng.Next(copies.Length)].Version;
                if (from.Version > version)
                {
                    inFlight.AddRange(from.Since("n", "o", version, 20 + prng.Next(60)));
                }

                break;
            case 3:
                OwnerTable pruned = prng.Chance(0.5) ? owner : copies[prng.Next(copies.Length)];
                pruned.Prune(Now - TimeSpan.FromDays(1), prng.Next(4));
                break;
            default:
                if (inFlight.Count > 0)
                {
                    TableMessage.Delta delta = inFlight[prng.Next(inFlight.Count)];
                    copies[prng.Next(copies.Length)].Merge(delta, Now, []);
                }

                break;
        }
    }

    private static void Merge(OwnerTable copy, IEnumerable<TableMessage.Delta> deltas)
    {
        foreach (TableMessage.Delta delta in deltas)
        {
            copy.Merge(delta, Now, []);
        }
    }

    private static string Show(OwnerTable table) => string.Join(
        ' ', table.Entries.Select(e => $"{e.Key}={Encoding.Latin1.GetString(e.Value.Span)}"));
}

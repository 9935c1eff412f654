using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;

namespace Overlay.Simulation.Whole;

/// <summary>
/// What a disk does to what it holds: bits turn, sectors go blank or are another's, a write went to another place, files
/// are cut or gone, the whole disk is gone. It strikes only what was durable: a last write that both did not finish and
/// is damaged cannot be told from one that only did not finish.
/// </summary>
internal sealed class DiskDecay(WholeWorld world, Prng prng)
{
    private readonly int first = prng.Next(world.Swarm.Slots);

    public void MayStrike(WholeNode node)
    {
        int order = (node.Slot - first + world.Swarm.Slots) % world.Swarm.Slots;
        if (order >= world.Swarm.Decaying || node.IsLost || !prng.Chance(0.5))
        {
            return;
        }

        if (prng.Chance(0.03))
        {
            node.HasDecayed = true;
            node.Say("has lost its disk");
            node.Lose();
            return;
        }

        for (int count = 1 + prng.Next(3); count > 0; count--)
        {
            Strike(node);
        }
    }

    private void Strike(WholeNode node)
    {
        (string Name, SimFile File)[] files =
        [
            .. node.Disk.Files.Where(static f => f.Value.IsSettled && f.Value.Cached.Length > 0).Select(static f => (f.Key, f.Value)),
        ];
        if (files.Length == 0)
        {
            return;
        }

        (string name, SimFile file) = files[prng.Next(files.Length)];
        node.HasDecayed = true;
        world.Counters.Add(WholeSometimes.Decay);
        int kind = prng.Next(20);
        if (!TryPlace(name, file, kind, out int at))
        {
            return;
        }

        int sector = Math.Min(prng.Chance(0.5) ? 16 + prng.Next(100) : 512, file.Cached.Length - at);
        world.Say(node, $"decays: {name} of {file.Cached.Length} at {at}, kind {kind}");
        switch (kind)
        {
            case 0 or 1 or 2 or 3 or 4 or 5:
                byte turned = (byte)(file.Cached.Slice(at, 1)[0] ^ (1 << prng.Next(8)));
                file.Decay(bytes => bytes.Write(at, [turned]));
                break;
            case 6 or 7 or 8:
                file.Decay(bytes => bytes.Write(at, new byte[sector]));
                break;
            case 9 or 10 or 11:
                byte[] garbage = new byte[sector];
                prng.Fill(garbage);
                file.Decay(bytes => bytes.Write(at, garbage));
                break;
            case 18:
                file.Decay(bytes => bytes.SetLength(at));
                break;
            case 19 when IsNoticed(node, name):
                node.Disk.Remove(name);
                break;
            default:
                // A write of another file, or of another place of this one, that went here.
                SimFile source = files[prng.Next(files.Length)].File;
                int from = source.Cached.SomewhereWritten(prng);
                byte[] moved = source.Cached.Slice(from, Math.Min(sector, source.Cached.Length - from));
                moved = moved[..Math.Min(moved.Length, file.Cached.Length - at)];
                file.Decay(bytes => bytes.Write(at, moved));
                break;
        }
    }

    /// <summary>
    /// Of a segment either entries or what is far before them: one that has lost both an entry and its identifier is taken
    /// for one whose last write did not finish.
    /// </summary>
    private bool TryPlace(string name, SimFile file, int kind, out int at)
    {
        at = file.Cached.SomewhereWritten(prng);
        if (!LogNames.TryReadSegment(name, out ulong id, out ulong firstIndex))
        {
            return true;
        }

        bool entries = ((id + firstIndex + world.Seed) & 3) != 0;
        if (entries && file.Cached.Length > SegmentFormat.EntriesOffset)
        {
            at = SegmentFormat.EntriesOffset + prng.Next(file.Cached.Length - SegmentFormat.EntriesOffset);
            return true;
        }

        return !entries && at < SegmentFormat.EntriesOffset - 512 && kind != 18;
    }

    /// <summary>
    /// A whole file that vanishes is noticed if another one tells of it: not the last snapshot of an empty log, nor a
    /// segment which no later one and no seal follows.
    /// </summary>
    private static bool IsNoticed(WholeNode node, string name) =>
        StateFiles.FileNames.Contains(name)
        || (LogNames.TryReadSegment(name, out ulong id, out _)
            && node.Disk.Files.Keys.Any(other => LogNames.TryReadSegment(other, out ulong later, out _) && later > id));
}

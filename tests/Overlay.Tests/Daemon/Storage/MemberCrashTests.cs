using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Secrecy;

namespace Overlay.Tests.Daemon.Storage;

/// <summary>
/// A member's log, with terms that change, suffixes that are cut, snapshots of others, term and vote: everything stops at
/// every operation, before, in the middle of it, or after; the log is opened again and goes on.
/// </summary>
public sealed class MemberCrashTests
{
    private static readonly LogIdentity Self = new("c1", new(0xA1));
    private static readonly LogKeys Keys = new(Self, new DataKey(new byte[DataKey.Bytes]));
    private readonly SortedDictionary<string, string> written = new(StringComparer.Ordinal);
    private LogKeys? keys;
    private int places;
    private int between;
    private int cut;
    private int installed;

    [Fact]
    public void Nothing_acknowledged_is_lost_and_a_crash_leaves_a_prefix_of_the_write()
    {
        for (ulong seed = 1; seed <= 14; seed++)
        {
            Run(seed);
        }

        Assert.True(places > 1_000 && between > 30 && cut > 20 && installed > 5, $"{places} places, {between} between, {cut} cuts, {installed} installs");
    }

    [Fact]
    public void Encrypted_it_is_the_same_and_no_two_texts_are_ever_encrypted_with_one_nonce()
    {
        keys = Keys;
        for (ulong seed = 100; seed < 107; seed++)
        {
            Run(seed);
        }

        Assert.True(places > 500 && written.Count > 1_000, $"{places} places, {written.Count} records");
    }

    private LogStore Open(ModelFolder folder, out LogRecovery found) =>
        LogStore.OpenAs(folder, new() { Limits = LogRig.Small, Identity = Self, Keys = keys }, out found);

    /// <summary>Of every record that was ever written, also of a write that did not finish: key and nonce give one text.</summary>
    private void Remember(ModelFolder folder)
    {
        foreach ((string name, ReadOnlyMemory<byte> bytes) in folder.Image())
        {
            if (keys is null || !LogNames.TryReadSegment(name, out _, out _))
            {
                continue;
            }

            SegmentScan scan = SegmentScan.Of(bytes);
            for (int slot = 0; slot < scan.Entries.Count; slot++)
            {
                string nonce = $"{scan.Header.Id} {scan.Header.Salt} {scan.Offsets[slot]}";
                string text = Convert.ToHexString(scan.RecordOf(slot).Span[SegmentFormat.RecordHeaderBytes..]);
                Assert.True(written.TryAdd(nonce, text) || written[nonce] == text, $"{nonce}: another text");
            }
        }
    }

    private void Run(ulong seed)
    {
        Prng prng = new(seed);
        List<MemberLogStep> steps = [];
        ModelFolder folder = new();
        MemberLogModel model = MemberLogModel.Empty;
        using (LogStore log = Open(folder, out _))
        {
            for (int i = 0; i < 12; i++)
            {
                MemberLogStep step = MemberLogStep.Random(model, prng);
                folder.Mark("begin", (ulong)i);
                step.Perform(log);
                folder.Mark("acknowledged", (ulong)i);
                steps.Add(step);
                model = model.Through(step).Last();
                cut += step.Write.TruncateFrom > 0 ? 1 : 0;
                installed += step.Write.Install is null ? 0 : 1;
            }
        }

        Remember(folder);
        Stop(folder.Journal, steps, prng, $"seed {seed}");
    }

    private void Stop(List<DiskOperation> journal, List<MemberLogStep> steps, Prng prng, string seed)
    {
        CrashModel disk = new([], prng);
        List<MemberLogModel> possible = [MemberLogModel.Empty];
        for (int i = 0; i < journal.Count; i++)
        {
            if (journal[i] is DiskOperation.Mark mark)
            {
                possible = mark.Text == "begin" ? [.. possible[^1].Through(steps[(int)mark.Index])] : [possible[^1]];
            }

            string where = $"{seed}, operation {i} ({journal[i].GetType().Name})";
            if (journal[i] is DiskOperation.Write write && prng.Chance(0.5))
            {
                Reopen(disk.AfterKill(write, prng.Next(write.Bytes.Length)), possible, prng, $"{where}, torn");
            }

            disk.Apply(journal[i]);
            if (prng.Chance(0.5))
            {
                Reopen(disk.AfterPowerFailure(), possible, prng, $"{where}, power failure");
            }
        }

        Reopen(disk.AfterKill(null, 0), possible, prng, $"{seed}, at the end");
    }

    private void Reopen(SortedDictionary<string, ReadOnlyMemory<byte>> image, List<MemberLogModel> possible, Prng prng, string where)
    {
        places++;
        ModelFolder folder = new(image);
        MemberLogModel after;
        using (LogStore log = Open(folder, out LogRecovery found))
        {
            MemberLogModel read = MemberLogModel.Of(found, log.State);
            int which = possible.FindIndex(read.Same);
            Assert.True(which >= 0, $"{where}: {read} is none of\n{string.Join('\n', possible)}");
            between += which > 0 && which < possible.Count - 1 ? 1 : 0;
            Assert.Equal(read.LastTerm, log.LastTerm);
            MemberLogStep step = MemberLogStep.Random(read, prng);
            step.Perform(log);
            after = read.Through(step).Last();
        }

        Remember(folder);

        // What one start has shown must be there at the next, and what was written since.
        using LogStore again = Open(new ModelFolder(folder.Image()), out LogRecovery second);
        MemberLogModel there = MemberLogModel.Of(second, again.State);
        Assert.True(there.Same(after), $"{where}, second start: {there} is not\n{after}");
        folder.Release();
    }
}

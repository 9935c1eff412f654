using Overlay.Daemon.Storage;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Tests.Daemon.Storage;

namespace Overlay.Tests.Raft;

/// <summary>Folders in which much is wrong at once: files missing, swapped, cut, unreadable, damaged, of strange names.</summary>
public sealed class LogRecoveryFuzzTests
{
    [Fact]
    public void No_folder_breaks_it_and_what_it_gives_is_whole_and_without_gaps()
    {
        SortedDictionary<string, ReadOnlyMemory<byte>> sound = Sound();
        Prng prng = new(11);
        (int refused, int told, int opened) = (0, 0, 0);
        for (int round = 0; round < 600; round++)
        {
            SortedDictionary<string, FileContent> files = new(StringComparer.Ordinal);
            foreach ((string name, ReadOnlyMemory<byte> bytes) in sound)
            {
                files[name] = new(bytes);
            }

            for (int harm = 1 + prng.Next(3); harm > 0 && files.Count > 0; harm--)
            {
                Harm(files, prng);
            }

            LogRecovery found = LogRecovery.From(files.Keys, name => files[name]);
            if (found.Fault is { } fault)
            {
                Assert.True(fault.Reason.Length > 10 && (fault.File.Length == 0 || files.ContainsKey(fault.File)), fault.ToString());
                refused++;
                continue;
            }

            told += found.Notes.Count > 0 ? 1 : 0;
            opened++;
            LogRig.Check(found, 0, 26, $"round {round}");
            Assert.All(found.Obsolete, name => Assert.Contains(name, files.Keys));
        }

        Assert.True(refused > 100 && opened > 50 && told > 10, $"{refused} refused, {opened} opened, {told} of them told");
    }

    private static SortedDictionary<string, ReadOnlyMemory<byte>> Sound()
    {
        ModelFolder folder = new();
        using (LogStore log = LogRig.Open(folder, out _))
        {
            foreach (int count in (int[])[6, 6, 0, 6, 0, 6, 2])
            {
                if (count == 0)
                {
                    LogRig.TakeSnapshot(log);
                }
                else
                {
                    LogRig.Append(log, folder, count);
                }
            }
        }

        return folder.Image();
    }

    private static void Harm(SortedDictionary<string, FileContent> files, Prng prng)
    {
        string name = files.Keys.ElementAt(prng.Next(files.Count));
        ReadOnlyMemory<byte> bytes = files[name].Bytes;
        switch (prng.Next(7))
        {
            case 0:
                files.Remove(name);
                break;
            case 1:
                files[name] = files.Values.ElementAt(prng.Next(files.Count));
                break;
            case 2:
                files[name] = new(bytes[..prng.Next(bytes.Length + 1)]);
                break;
            case 3:
                files[name] = new(default, "Input/output error");
                break;
            case 4:
                string other = prng.Chance(0.5)
                    ? LogNames.Segment(1 + (ulong)prng.Next(8), (ulong)prng.Next(30))
                    : LogNames.Snapshot((ulong)prng.Next(30));
                files[other] = files[name];
                break;
            case 5:
                files[$"{prng.NextUInt64()}{(prng.Chance(0.2) ? LogNames.SegmentSuffix : ".old")}"] = files[name];
                break;
            default:
                byte[] damaged = bytes.ToArray();
                int from = damaged.Length > SegmentFormat.EntriesOffset && prng.Chance(0.6) ? SegmentFormat.EntriesOffset : 0;
                for (int flips = 1 + prng.Next(20); flips > 0 && damaged.Length > from; flips--)
                {
                    damaged[from + prng.Next(damaged.Length - from)] ^= (byte)(1 << prng.Next(8));
                }

                files[name] = new(damaged);
                break;
        }
    }
}

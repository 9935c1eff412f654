using System.Buffers.Binary;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Repair;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Storage;

internal sealed partial class LogStore
{
    /// <summary>So many files that were damaged are kept; the first ones go.</summary>
    public const int DamagedKept = 4;

    /// <summary>
    /// Writes damaged entries that others had whole. Each segment is made anew beside the damaged one and takes its
    /// place, so a crash leaves one or the other.
    /// </summary>
    /// <param name="found">What the last reading found.</param>
    /// <param name="right">The entries, from <see cref="LogRepair.Right"/>.</param>
    /// <returns>What is there now, read again.</returns>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public LogRecovery Repair(LogRecovery found, IEnumerable<LogEntry> right)
    {
        Invariant.Holds(isDamaged, "only a log with damage is repaired");
        Guarded(() =>
        {
            KeepAside(found);
            foreach (SegmentPlan plan in SegmentPlan.For(found, right, Member, options.Keys))
            {
                writing = plan.Name;
                SegmentFormat.Header header = plan.Header with { Salt = NewSalt(), Key = options.Keys?.Current.Id ?? 0 };
                using SegmentCipher? cipher = options.Keys?.Of(header);
                using (ILogFile made = folder.Create(plan.Name + LogNames.UnfinishedSuffix))
                {
                    made.Write(0, SegmentImage.Of(header, plan.Entries, plan.IsWhole, plan.IsClosed, cipher).Span);
                    made.Sync();
                }

                folder.Rename(plan.Name + LogNames.UnfinishedSuffix, plan.Name);
                folder.Sync();
            }
        });
        return Reload();
    }

    /// <summary>
    /// Cuts off a damaged entry that was never committed, and all behind it.
    /// </summary>
    /// <param name="found">What the last reading found.</param>
    /// <param name="from">The entry.</param>
    /// <returns>What is there now, read again.</returns>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public LogRecovery CutDamage(LogRecovery found, ulong from)
    {
        Invariant.Holds(isDamaged, "only a log with damage is repaired");
        Guarded(() => KeepAside(found));
        CutFrom(from);
        return Reload();
    }

    /// <summary>
    /// Takes another member's snapshot in place of damaged entries. What is behind it stays, unless it is known not to go
    /// on from it: index and term say what an entry is, so a later leader either has it too or cuts it off.
    /// </summary>
    /// <returns>What is there now, read again.</returns>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public LogRecovery Adopt(LogRecovery found, LogSnapshot snapshot)
    {
        Invariant.Holds(isDamaged, "only a log with damage is repaired");
        Guarded(() => KeepAside(found));
        if (State.Term < snapshot.Term)
        {
            // It is of a term that this member has not heard of; a state below the log's term is not believed.
            WriteState(State with { Term = snapshot.Term, Vote = MemberId.None });
        }

        ulong here = terms.TermOf(snapshot.Index);
        ulong next = terms.TermOf(snapshot.Index + 1);
        if (snapshot.Index < LastIndex && (here == snapshot.Term || here == 0) && (next == 0 || next >= snapshot.Term))
        {
            SaveSnapshot(snapshot);
        }
        else
        {
            Install(snapshot);
        }

        return Reload();
    }

    /// <summary>
    /// What is damaged gets a second name before anything takes its place: whoever looks for the cause finds it as it was.
    /// </summary>
    private void KeepAside(LogRecovery found)
    {
        string[] present = [.. folder.Names().Order(StringComparer.Ordinal)];
        string[] damaged =
        [
            .. present.Where(name => LogNames.TryReadSnapshot(name, out ulong index) && index > SnapshotIndex && !found.ValidSnapshots.Contains(index)),
            .. found.Segments
                .Where(s => present.Contains(s.Name) && found.Damaged.Any(range => range.First <= s.Last && range.Last >= s.First))
                .Select(static s => s.Name),
        ];
        string[] kept = [.. damaged.TakeLast(DamagedKept).Select(static name => name + LogNames.DamagedSuffix)];
        string[] before = [.. present.Where(name => name.EndsWith(LogNames.DamagedSuffix, StringComparison.Ordinal) && !kept.Contains(name))];
        foreach (string old in before.Take(before.Length + kept.Length - DamagedKept))
        {
            writing = old;
            folder.Delete(old);
        }

        foreach (string name in kept)
        {
            writing = name;
            folder.Link(name[..^LogNames.DamagedSuffix.Length], name);
        }

        folder.Sync();
    }

    private ulong NewSalt()
    {
        byte[] salt = new byte[8];
        options.Random(salt);
        return BinaryPrimitives.ReadUInt64LittleEndian(salt);
    }

    private LogRecovery Reload()
    {
        segment?.Dispose();
        segment = null;
        closed.Clear();
        snapshots.Clear();
        LogRecovery found = Read();
        StateRecovery state = Judge(found);
        Guarded(() => Take(found, state));
        return found;
    }
}

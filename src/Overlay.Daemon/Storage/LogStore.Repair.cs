using System.Buffers.Binary;
using System.Security.Cryptography;
using Overlay.Primitives;
using Overlay.Raft;
using Overlay.Raft.Repair;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Storage;

internal sealed partial class LogStore
{
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
    /// <returns>What is there now, read again.</returns>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public LogRecovery CutDamage(ulong from)
    {
        Invariant.Holds(isDamaged, "only a log with damage is repaired");
        CutFrom(from);
        return Reload();
    }

    /// <summary>
    /// Takes another member's snapshot in place of damaged entries. What is behind it stays, unless it is known not to go
    /// on from it: index and term say what an entry is, so a later leader either has it too or cuts it off.
    /// </summary>
    /// <returns>What is there now, read again.</returns>
    /// <exception cref="StorageWriteException">The log is unusable from now on.</exception>
    public LogRecovery Adopt(LogSnapshot snapshot)
    {
        Invariant.Holds(isDamaged, "only a log with damage is repaired");
        ulong here = terms.TermOf(snapshot.Index);
        ulong next = terms.TermOf(snapshot.Index + 1);
        if (snapshot.Index <= LastIndex && (here == snapshot.Term || here == 0) && (next == 0 || next >= snapshot.Term))
        {
            SaveSnapshot(snapshot);
        }
        else
        {
            Install(snapshot);
        }

        return Reload();
    }

    private static ulong NewSalt() => BinaryPrimitives.ReadUInt64LittleEndian(RandomNumberGenerator.GetBytes(8));

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

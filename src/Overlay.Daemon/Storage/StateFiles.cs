using Overlay.Raft;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Storage;

/// <summary>
/// Term and vote in two files. A change is durable in one before the other is written: a write that does not finish
/// leaves the other, and one that is damaged later has the same in the other.
/// </summary>
/// <param name="random">Fills with random bytes.</param>
internal sealed class StateFiles(ILogFolder folder, LogKeys? keys, Action<byte[]> random)
{
    private LogKeys? keys = keys;

    public static readonly IReadOnlyList<string> FileNames = ["state-0", "state-1"];

    public MemberState? Current { get; private set; }

    public static StateRecovery Read(ILogFolder folder, LogKeys? keys = null)
    {
        IReadOnlyList<string> present = folder.Names();
        return StateRecovery.From(
            [.. FileNames.Select(name => present.Contains(name) ? folder.Read(name, StateFormat.FileBytes) : (FileContent?)null)], keys);
    }

    /// <summary>
    /// Goes on with what was found, and writes it again: the copies that are not like it anew, the others in place, because
    /// after a sync that failed the kernel shows what never reached the disk.
    /// </summary>
    public void Take(StateRecovery found)
    {
        Current = found.State;
        foreach (int copy in found.Damaged)
        {
            Replace(copy, Current!);
        }

        // The first is written first, so if both look right it is the last that may not be.
        for (int copy = FileNames.Count - 1; copy >= 0; copy--)
        {
            if (!found.Damaged.Contains(copy))
            {
                WriteInPlace(copy, Bytes(Current!));
            }
        }
    }

    /// <summary>The first state of a member's life.</summary>
    public void Begin(MemberState state)
    {
        for (int copy = 0; copy < FileNames.Count; copy++)
        {
            Replace(copy, state);
        }

        Current = state;
    }

    /// <summary>Other keys from the next write on.</summary>
    public void Use(LogKeys next) => keys = next;

    /// <summary>When it returns, the state can neither be lost nor forgotten by damage to one file.</summary>
    public void Write(HardState hard)
    {
        MemberState next = Current! with { Sequence = Current.Sequence + 1, Hard = hard };
        byte[] bytes = Bytes(next);
        for (int copy = 0; copy < FileNames.Count; copy++)
        {
            WriteInPlace(copy, bytes);
        }

        Current = next;
    }

    private void WriteInPlace(int copy, byte[] bytes)
    {
        using ILogFile file = folder.Open(FileNames[copy]);
        file.Write(0, bytes);
        file.Sync();
    }

    private byte[] Bytes(MemberState state)
    {
        byte[] nonce = new byte[keys is null ? 0 : LogKeys.NonceBytes];
        random(nonce);
        return StateFormat.Write(state, keys, nonce);
    }

    private void Replace(int copy, MemberState state)
    {
        string name = FileNames[copy];
        using (ILogFile file = folder.Create(name + LogNames.UnfinishedSuffix))
        {
            file.Write(0, Bytes(state));
            file.Sync();
        }

        folder.Rename(name + LogNames.UnfinishedSuffix, name);
        folder.Sync();
    }
}

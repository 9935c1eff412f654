using System.Security.Cryptography;
using Overlay.Raft;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Storage;

/// <summary>
/// Term and vote in two files. A change is durable in one before the other is written: a write that does not finish
/// leaves the other, and one that is damaged later has the same in the other.
/// </summary>
internal sealed class StateFiles(ILogFolder folder, LogKeys? keys)
{
    public static readonly IReadOnlyList<string> FileNames = ["state-0", "state-1"];

    public MemberState? Current { get; private set; }

    public static StateRecovery Read(ILogFolder folder, LogKeys? keys = null)
    {
        IReadOnlyList<string> present = folder.Names();
        return StateRecovery.From(
            [.. FileNames.Select(name => present.Contains(name) ? folder.Read(name, StateFormat.FileBytes) : (FileContent?)null)], keys);
    }

    /// <summary>Goes on with what was found, and writes the copies again that are not like it.</summary>
    public void Take(StateRecovery found)
    {
        Current = found.State;
        foreach (int copy in found.Damaged)
        {
            Replace(copy, Current!);
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

    /// <summary>When it returns, the state can neither be lost nor forgotten by damage to one file.</summary>
    public void Write(HardState hard)
    {
        MemberState next = Current! with { Sequence = Current.Sequence + 1, Hard = hard };
        byte[] bytes = Bytes(next);
        foreach (string name in FileNames)
        {
            using ILogFile file = folder.Open(name);
            file.Write(0, bytes);
            file.Sync();
        }

        Current = next;
    }

    private byte[] Bytes(MemberState state) =>
        StateFormat.Write(state, keys, keys is null ? [] : RandomNumberGenerator.GetBytes(LogKeys.NonceBytes));

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

namespace Overlay.Raft;

/// <summary>What an entry of the log is. The values are on disks and wires.</summary>
public enum EntryKind : byte
{
    /// <summary>A leader's first entry of its term: it commits what earlier terms left. No data.</summary>
    Blank = 0,

    /// <summary>A command of the state machine.</summary>
    Data = 1,

    /// <summary>The bytes of the <see cref="Raft.Configuration"/> that holds from this entry's application on.</summary>
    Configuration = 2,
}

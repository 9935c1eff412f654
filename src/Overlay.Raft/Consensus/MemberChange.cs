namespace Overlay.Raft.Consensus;

public enum MemberChangeKind : byte
{
    /// <summary>A voter from then on, whatever it was.</summary>
    AddVoter = 0,

    /// <summary>A learner from then on; a voter is demoted.</summary>
    AddLearner = 1,
    Remove = 2,
}

/// <summary>How one or more <see cref="MemberChange"/>s come to hold.</summary>
public enum ChangeMode : byte
{
    /// <summary>At once if one voter changes at most, else through a joint configuration that is left by itself.</summary>
    Auto = 0,

    /// <summary>Through a joint configuration that is left by itself.</summary>
    Joint = 1,

    /// <summary>Into a joint configuration that <see cref="RaftCore.ProposeLeaveJoint"/> leaves.</summary>
    JointExplicit = 2,
}

public readonly record struct MemberChange(MemberChangeKind Kind, MemberId Member);

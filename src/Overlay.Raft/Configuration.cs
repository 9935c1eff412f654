using System.Buffers;
using System.Buffers.Binary;
using System.Collections.Immutable;
using Overlay.Primitives;

namespace Overlay.Raft;

/// <summary>
/// Who decides and who listens (Ongaro's thesis, 2014, chapter 4). With outgoing voters it is joint: elections and commits
/// need a majority of <see cref="Voters"/> and one of <see cref="OutgoingVoters"/>. Immutable, each set sorted, equal by value.
/// </summary>
public sealed class Configuration : IEquatable<Configuration>
{
    /// <summary>The most different members in all sets together: what bytes of any origin may ask for.</summary>
    public const int MaxMembers = 64;
    private const byte Version = 1;
    private const int HeaderBytes = 6;

    /// <summary>Nobody: a member that has not heard of its cluster yet.</summary>
    public static readonly Configuration Empty = new([], [], [], [], false);

    public Configuration(
        IEnumerable<MemberId> voters, IEnumerable<MemberId> outgoingVoters, IEnumerable<MemberId> learners,
        IEnumerable<MemberId> learnersNext, bool autoLeave)
        : this(autoLeave, Sorted(voters), Sorted(outgoingVoters), Sorted(learners), Sorted(learnersNext))
    {
        string? fault = Fault();
        Invariant.Holds(fault is null, fault);
    }

    private Configuration(
        bool autoLeave, ImmutableArray<MemberId> voters, ImmutableArray<MemberId> outgoingVoters,
        ImmutableArray<MemberId> learners, ImmutableArray<MemberId> learnersNext)
    {
        Voters = voters;
        OutgoingVoters = outgoingVoters;
        Learners = learners;
        LearnersNext = learnersNext;
        AutoLeave = autoLeave;
        Members = Sorted([.. Voters, .. OutgoingVoters, .. Learners, .. LearnersNext]);
    }

    public ImmutableArray<MemberId> Voters { get; }

    /// <summary>The voters before a joint change, which still decide along; empty: it is not joint.</summary>
    public ImmutableArray<MemberId> OutgoingVoters { get; }

    /// <summary>They get the log and have no say.</summary>
    public ImmutableArray<MemberId> Learners { get; }

    /// <summary>Outgoing voters that become learners when the joint configuration is left.</summary>
    public ImmutableArray<MemberId> LearnersNext { get; }

    /// <summary>The leader leaves the joint configuration by itself as soon as it holds.</summary>
    public bool AutoLeave { get; }

    /// <summary>Everybody in any set, sorted.</summary>
    public ImmutableArray<MemberId> Members { get; }

    public bool IsJoint => !OutgoingVoters.IsEmpty;

    public static Configuration OfVoters(params ReadOnlySpan<MemberId> voters) => new([.. voters], [], [], [], false);

    public bool Contains(MemberId member) => Members.BinarySearch(member) >= 0;

    /// <summary>It decides along, in either half of a joint configuration.</summary>
    public bool IsVoter(MemberId member) =>
        Voters.BinarySearch(member) >= 0 || OutgoingVoters.BinarySearch(member) >= 0;

    /// <summary>Nobody else decides along.</summary>
    public bool IsOnlyVoter(MemberId member) => Voters is [var only] && only == member && OutgoingVoters.IsEmpty;

    public bool IsLearner(MemberId member) => Learners.BinarySearch(member) >= 0;

    /// <summary>
    /// Version 1, flags 1 (1: leaves by itself), four counts of 1 (voters, outgoing, learners, next learners), then the
    /// ids of 8 bytes, little-endian and ascending in each set.
    /// </summary>
    public void Write(IBufferWriter<byte> writer)
    {
        int length = ByteCount;
        Span<byte> span = writer.GetSpan(length);
        span[0] = Version;
        span[1] = AutoLeave ? (byte)1 : (byte)0;
        int at = HeaderBytes;
        WriteSet(Voters, span, 2, ref at);
        WriteSet(OutgoingVoters, span, 3, ref at);
        WriteSet(Learners, span, 4, ref at);
        WriteSet(LearnersNext, span, 5, ref at);
        writer.Advance(length);
    }

    public int ByteCount =>
        HeaderBytes + (8 * (Voters.Length + OutgoingVoters.Length + Learners.Length + LearnersNext.Length));

    public byte[] ToBytes()
    {
        ArrayBufferWriter<byte> writer = new(ByteCount);
        Write(writer);
        return writer.WrittenSpan.ToArray();
    }

    /// <summary>The configuration, if exactly these bytes are one that could hold.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out Configuration? configuration)
    {
        configuration = null;
        if (bytes.Length < HeaderBytes || bytes[0] != Version || bytes[1] > 1)
        {
            return false;
        }

        int total = bytes[2] + bytes[3] + bytes[4] + bytes[5];
        if (bytes.Length != HeaderBytes + (8 * total) || total > 2 * MaxMembers)
        {
            return false;
        }

        ReadOnlySpan<byte> rest = bytes[HeaderBytes..];
        if (!TryReadSet(ref rest, bytes[2], out ImmutableArray<MemberId> voters)
            || !TryReadSet(ref rest, bytes[3], out ImmutableArray<MemberId> outgoing)
            || !TryReadSet(ref rest, bytes[4], out ImmutableArray<MemberId> learners)
            || !TryReadSet(ref rest, bytes[5], out ImmutableArray<MemberId> next))
        {
            return false;
        }

        Configuration read = new(bytes[1] == 1, voters, outgoing, learners, next);
        configuration = read.Fault() is null ? read : null;
        return configuration is not null;
    }

    public bool Equals(Configuration? other) =>
        other is not null && AutoLeave == other.AutoLeave && Voters.AsSpan().SequenceEqual(other.Voters.AsSpan())
        && OutgoingVoters.AsSpan().SequenceEqual(other.OutgoingVoters.AsSpan())
        && Learners.AsSpan().SequenceEqual(other.Learners.AsSpan())
        && LearnersNext.AsSpan().SequenceEqual(other.LearnersNext.AsSpan());

    public override bool Equals(object? obj) => Equals(obj as Configuration);

    public override int GetHashCode()
    {
        HashCode code = default;
        foreach (MemberId member in Members)
        {
            code.Add(member.Value);
        }

        return code.ToHashCode();
    }

    /// <summary>For example "(1 2 3)&amp;&amp;(1 2 4) learners=(5) next=(4) autoleave".</summary>
    public override string ToString()
    {
        string text = $"({string.Join(' ', Voters)})";
        text += IsJoint ? $"&&({string.Join(' ', OutgoingVoters)})" : "";
        text += Learners.IsEmpty ? "" : $" learners=({string.Join(' ', Learners)})";
        text += LearnersNext.IsEmpty ? "" : $" next=({string.Join(' ', LearnersNext)})";
        return text + (AutoLeave ? " autoleave" : "");
    }

    private static ImmutableArray<MemberId> Sorted(IEnumerable<MemberId> members) => [.. members.Distinct().Order()];

    private static void WriteSet(ImmutableArray<MemberId> set, Span<byte> span, int count, ref int at)
    {
        span[count] = (byte)set.Length;
        foreach (MemberId member in set)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(span[at..], member.Value);
            at += 8;
        }
    }

    private static bool TryReadSet(ref ReadOnlySpan<byte> bytes, int count, out ImmutableArray<MemberId> set)
    {
        ImmutableArray<MemberId>.Builder builder = ImmutableArray.CreateBuilder<MemberId>(count);
        ulong last = 0;
        bool ascending = true;
        for (int i = 0; i < count; i++)
        {
            ulong value = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            bytes = bytes[8..];
            ascending &= value > last;
            last = value;
            builder.Add(new(value));
        }

        set = builder.MoveToImmutable();
        return ascending;
    }

    /// <summary>In words why it could not hold; null: it could.</summary>
    private string? Fault()
    {
        if (Members.Length > MaxMembers)
        {
            return $"a configuration has at most {MaxMembers} members, not {Members.Length}";
        }

        if (Contains(MemberId.None))
        {
            return "nobody is no member";
        }

        if (Voters.IsEmpty && Members.Length > 0)
        {
            return "a configuration has a voter";
        }

        if (!IsJoint && (AutoLeave || !LearnersNext.IsEmpty))
        {
            return "only a joint configuration is left, and has learners that wait for that";
        }

        return Learners.Any(IsVoter) ? "a learner is no voter"
            : LearnersNext.Any(member => OutgoingVoters.BinarySearch(member) < 0 || Voters.BinarySearch(member) >= 0)
                ? "who becomes a learner is an outgoing voter and no incoming one"
                : null;
    }
}

using Overlay.Raft.Secrecy;

namespace Overlay.Raft;

/// <summary>What the two copies of a member's state say together.</summary>
/// <param name="State">Null: there is none, or it is lost.</param>
/// <param name="Damaged">Copies that do not validate or are behind, and must be written again.</param>
/// <param name="IsLost">
/// There was one and none validates: what this member voted for is not known. It must never vote again under its id.
/// </param>
public sealed record StateRecovery(MemberState? State, IReadOnlyList<int> Damaged, bool IsLost)
{
    public const int Copies = 2;

    /// <param name="copies">Null: there is no such file.</param>
    /// <param name="keys">Null: they are in the clear.</param>
    public static StateRecovery From(IReadOnlyList<FileContent?> copies, LogKeys? keys = null)
    {
        MemberState? newest = null;
        MemberState?[] read = new MemberState?[copies.Count];
        for (int i = 0; i < copies.Count; i++)
        {
            if (copies[i] is { Unreadable: "" } content && StateFormat.TryRead(content.Bytes.Span, keys, out read[i])
                && (newest is null || read[i]!.Sequence > newest.Sequence))
            {
                newest = read[i];
            }
        }

        bool torn = read.Any(state => state is not null && newest is not null && state.Identity != newest.Identity);
        return newest is null || torn
            ? new(null, [], torn || copies.Any(static copy => copy is not null))
            : new(newest, [.. Enumerable.Range(0, copies.Count).Where(i => read[i] != newest)], false);
    }
}

using System.Globalization;
using Overlay.Raft;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Storage;

/// <summary>Whether a folder's state lets a member go on under its id.</summary>
internal static class MemberStates
{
    /// <exception cref="MemberLostException">It is not known what this member voted for.</exception>
    /// <exception cref="StorageForeignException">It is another member's, or another cluster's.</exception>
    public static StateRecovery Judge(ILogFolder folder, LogIdentity identity, LogRecovery log, LogKeys? keys)
    {
        StateRecovery found = StateFiles.Read(folder, keys);
        string names = string.Join(" and ", StateFiles.FileNames);
        if (found.State is { IsClosed: true })
        {
            throw new MemberLostException(folder.Path, "", $"{names} are encrypted, and their data key is not here");
        }

        if (found.IsLost)
        {
            throw new MemberLostException(folder.Path, "", $"neither of {names} validates");
        }

        if (found.State is null && !log.Member.IsNone)
        {
            throw new MemberLostException(folder.Path, "", $"{names} are missing, though there is a log of member {log.Member}");
        }

        if (found.State is null && log.Damaged.Count > 0)
        {
            throw new MemberLostException(folder.Path, "", $"{names} are missing, though there is a log, which is damaged too");
        }

        LogIdentity there = found.State?.Identity ?? identity;
        if (there != identity || (!log.Member.IsNone && log.Member != identity.Member))
        {
            throw new StorageForeignException(folder.Path, there == identity ? there with { Member = log.Member } : there, identity);
        }

        return found.State is { } state && state.Hard.Term < log.Terms.LastTerm
            ? throw new MemberLostException(
                folder.Path, StateFiles.FileNames[0],
                string.Create(CultureInfo.InvariantCulture, $"it is of term {state.Hard.Term}, but the log has entries of term {log.Terms.LastTerm}"))
            : found;
    }
}

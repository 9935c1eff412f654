using System.Security.Cryptography;
using Overlay.Daemon.Storage;
using Overlay.Raft;

namespace Overlay.Daemon.Manager;

/// <summary>Whose log a folder holds, or will.</summary>
internal static class ManagerIdentity
{
    /// <param name="cluster">Whose member this is; a folder of another one is refused when it is opened.</param>
    /// <param name="member">Of a folder that has none yet; none: a new one.</param>
    public static LogIdentity Of(ILogFolder folder, string cluster, MemberId member = default) =>
        StateFiles.Read(folder).State is { } state ? new(cluster, state.Identity.Member)
        : new(cluster, member.IsNone ? new(BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)) | 1) : member);
}

using System.Security.Cryptography;
using Overlay.Raft;
using Overlay.Raft.Secrecy;

namespace Overlay.Daemon.Storage;

/// <summary>How a log is opened.</summary>
internal sealed record LogOptions
{
    public LogLimits Limits { get; init; } = new();

    /// <summary>Whose log it must be; null: one manager's alone, which votes for nobody.</summary>
    public LogIdentity? Identity { get; init; }

    /// <summary>The member's data keys; null: the log is written in the clear.</summary>
    public LogKeys? Keys { get; init; }

    /// <summary>Fills with random bytes: salts and nonces, which are never used twice.</summary>
    public Action<byte[]> Random { get; init; } = static bytes => RandomNumberGenerator.Fill(bytes);

    /// <summary>Open it although entries are damaged that other members may have; nothing is appended before they are right.</summary>
    public bool AllowDamage { get; init; }
}

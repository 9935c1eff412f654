using Overlay.Daemon.Manager.Peers;

namespace Overlay.Daemon.Manager.Repair;

/// <summary>That a manager's log may be mended by others, which may take as long as they need to come back.</summary>
/// <param name="Peers">The other managers as they are known now.</param>
/// <param name="Report">Told what it waits for, as a sentence without its end.</param>
internal sealed record LogMending(Func<CancellationToken, Task<IReadOnlyList<PeerAddress>>> Peers, Action<string> Report);

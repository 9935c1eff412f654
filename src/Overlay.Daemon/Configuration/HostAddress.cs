using System.Net;

namespace Overlay.Daemon.Configuration;

/// <summary>One address of one interface of this host.</summary>
internal sealed record HostAddress(string Interface, IPAddress Address);

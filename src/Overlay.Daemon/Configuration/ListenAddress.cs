using System.Net;

namespace Overlay.Daemon.Configuration;

/// <summary>Where a server of the agent listens; null: nowhere, by the user's choice.</summary>
internal readonly record struct ListenAddress(IPEndPoint? EndPoint)
{
    public override string ToString() => EndPoint?.ToString() ?? "none";
}

using System.Threading.Channels;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Telemetry;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Tests.Daemon.Agent;

/// <summary>What watchers hear of a backend's health.</summary>
public sealed class EventHubTests
{
    [Theory]
    [InlineData("starting", "", "starting", "web")]
    [InlineData("healthy", "", "healthy", "web")]
    [InlineData("unhealthy", "tcp:80: connection refused", "unhealthy", "web tcp:80: connection refused")]
    [InlineData("", "", "unchecked", "web")]
    public async Task A_change_of_health_is_an_endpoint_s_event_with_service_and_reason(string health, string reason, string action, string detail)
    {
        using Instruments instruments = new();
        using CancellationTokenSource stop = new();
        EventHub hub = new(TimeProvider.System, instruments);
        ChannelReader<Event> watcher = hub.Watch(stop.Token);
        hub.Publish(new NodeEvent.HealthChanged(new EndpointId(7), "web1", "web", health, reason));
        Event told = await watcher.ReadAsync(TestContext.Current.CancellationToken);
        Assert.Equal(
            ("endpoint", action, new EndpointId(7).ToString(), "web1", detail), (told.Kind, told.Action, told.Id, told.Name, told.Detail));
        await stop.CancelAsync();
    }
}

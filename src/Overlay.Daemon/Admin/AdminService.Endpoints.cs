using System.Diagnostics;
using Grpc.Core;
using Overlay.Cluster;
using Overlay.Daemon.Agent;
using Overlay.Daemon.Errors;
using Overlay.Daemon.Telemetry;
using Overlay.Dataplane;
using Overlay.Linux;
using Overlay.Linux.Namespaces;
using Overlay.Node;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Daemon.Admin;

internal sealed partial class AdminService
{
    private static readonly TimeSpan IntentWait = TimeSpan.FromMilliseconds(500);

    public override async Task<EndpointView> Attach(AttachRequest request, ServerCallContext context)
    {
        long started = Stopwatch.GetTimestamp();
        string result = "refused";
        using Activity? span = StartAttach(request, context);
        try
        {
            EndpointView made = await AttachAsync(request, span, context);
            result = "attached";
            return made;
        }
        catch (RpcException refusal)
        {
            span?.SetStatus(ActivityStatusCode.Error, refusal.Status.Detail);
            span?.SetTag("error.type", refusal.StatusCode.ToString());
            throw;
        }
        finally
        {
            host.Services.Instruments.EndpointAttachDuration.Record(
                Stopwatch.GetElapsedTime(started).TotalSeconds, new KeyValuePair<string, object?>("result", result));
        }
    }

    private async Task<EndpointView> AttachAsync(AttachRequest request, Activity? span, ServerCallContext context)
    {
        Membership current = RequireMember("attach");
        AttachCommand command = RefusalStatus.Require(EndpointSpecs.From(request));
        if (command.HealthCommand.Length > 0)
        {
            RequireRoot(
                context, "The endpoint is not attached.", "Its health command would run as root, and only root may give one.",
                "sudo overlayd attach --health-cmd …");
        }

        SandboxProbe sandbox = await ProbeSandboxAsync(command.Sandbox, request.Sandbox, context.CancellationToken);
        await WaitForIntentAsync(current, request, context.CancellationToken);
        Completion done = await current.RequestAsync(
            (node, id, now, effects) => node.Attach(
                command with
                {
                    RequestId = id,
                    UnixMs = host.Services.Clock.UnixMs,
                    InterfacesInUse = [.. sandbox.Interfaces],
                    Trace = Spans.ContextOf(span),
                },
                now, effects),
            context.CancellationToken);
        if (done.Refusal is { } refusal)
        {
            throw RefusalStatus.ToException(refusal);
        }

        if (span is not null)
        {
            Spans.Describe(span, current.Record.NodeId, host.Services.Settings.HostName, done.Endpoint!.Id, request.Network);
        }

        await host.Services.Names.WhenSettledAsync(context.CancellationToken);
        return await current.ReadAsync(node => EndpointViews.Of(done.Endpoint!, node), context.CancellationToken);
    }

    /// <summary>Continues the caller's trace where its call brings one (W3C Trace Context), or begins one.</summary>
    private static Activity? StartAttach(AttachRequest request, ServerCallContext context)
    {
        Metadata headers = context.RequestHeaders;
        if (!ActivityContext.TryParse(
            headers.GetValue("traceparent"), headers.GetValue("tracestate"), isRemote: true, out ActivityContext caller))
        {
            // The web server's own activity is nobody's parent: it is not recorded.
            Activity.Current = null;
        }

        Activity? span = Instruments.Activities.StartActivity("endpoint.attach", ActivityKind.Server, caller);
        span?.SetTag("rpc.system", "grpc");
        span?.SetTag("rpc.method", "overlay.v1.Admin/Attach");
        span?.SetTag("overlayd.network.name", request.Network);
        span?.SetTag("overlayd.sandbox.name", request.Sandbox);
        return span;
    }

    public override async Task<DetachResponse> Detach(DetachRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("detach");
        NamespaceName? sandbox = request.Sandbox.Length > 0 ? RefusalStatus.Require(EndpointSpecs.SandboxName(request.Sandbox)) : null;
        Completion done = await current.RequestAsync(
            (node, id, now, effects) => node.Detach(
                new(id, request.Endpoint, request.Network, sandbox, host.Services.Clock.UnixMs), now, effects),
            context.CancellationToken);
        return done.Refusal is { } refusal
            ? throw RefusalStatus.ToException(refusal)
            : new() { Id = done.Endpoint!.Id.ToString() };
    }

    public override async Task<ListEndpointsResponse> ListEndpoints(ListEndpointsRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("list endpoints");
        ListEndpointsResponse response = new();
        response.Endpoints.AddRange(await current.ReadAsync(
            node => EndpointViews.All(node, request.Network, request.Local), context.CancellationToken));
        return response;
    }

    public override async Task<EndpointView> InspectEndpoint(InspectEndpointRequest request, ServerCallContext context)
    {
        Membership current = RequireMember("inspect an endpoint");
        return await current.ReadAsync(
            node => RefusalStatus.Require(EndpointViews.Find(node, request.Endpoint)), context.CancellationToken);
    }

    public override async Task<SandboxView> CreateSandbox(CreateSandboxRequest request, ServerCallContext context)
    {
        NamespaceName name = RefusalStatus.Require(EndpointSpecs.NewSandboxName(request.Name));
        await host.Services.Reconciler.RunAsync(
            kernel =>
            {
                if (Exists(kernel, name))
                {
                    throw RefusalStatus.ToException(new(
                        RefusalKind.Conflict, $"Sandbox {name} is not created.", $"A namespace /run/netns/{name} exists already.",
                        $"Use it as it is with `overlayd attach NETWORK {name}`, or choose another name."));
                }

                return kernel.Execute([new Operation.CreateNamespace(name)])[0] is { Succeeded: false } failed
                    ? throw RefusalStatus.ToException(new(
                        RefusalKind.Unavailable, $"Sandbox {name} is not created.", $"{failed.Error}.", "See the agent's log."))
                    : true;
            },
            context.CancellationToken);
        host.Services.ResolvConf.Write(name.Value, host.Services.HostResolver.Configuration);
        return new() { Name = name.Value, Path = $"/run/netns/{name}", CreatedByOverlayd = true };
    }

    public override async Task<ListSandboxesResponse> ListSandboxes(ListSandboxesRequest request, ServerCallContext context)
    {
        string[] names = await host.Services.Reconciler.RunAsync(
            static kernel => kernel.Namespaces.List().Where(static n => !n.IsOverlay).Select(static n => n.Value).ToArray(),
            context.CancellationToken);
        EndpointView[] endpoints = host.Current is { } current
            ? await current.ReadAsync(static node => EndpointViews.All(node, "", local: true), context.CancellationToken)
            : [];
        ListSandboxesResponse response = new();
        foreach (string name in names.Union(endpoints.Select(static e => e.Sandbox)).Order(StringComparer.Ordinal))
        {
            SandboxView view = new()
            {
                Name = name,
                Path = name.StartsWith('/') ? name : $"/run/netns/{name}",
                CreatedByOverlayd = host.Services.ResolvConf.Made(name),
            };
            view.Endpoints.AddRange(endpoints.Where(e => e.Sandbox == name));
            response.Sandboxes.Add(view);
        }

        return response;
    }

    public override async Task<RemoveSandboxResponse> RemoveSandbox(RemoveSandboxRequest request, ServerCallContext context)
    {
        NamespaceName name = RefusalStatus.Require(EndpointSpecs.NewSandboxName(request.Name));
        if (!await host.Services.Reconciler.RunAsync(kernel => Exists(kernel, name), context.CancellationToken))
        {
            throw RefusalStatus.ToException(new(
                RefusalKind.NotFound, $"There is no sandbox {name}.", $"/run/netns/{name} does not exist.",
                "Type `overlayd sandbox ls` to see the names."));
        }

        if (host.Current is { } current)
        {
            EndpointState[] attached = await current.ReadAsync(
                node => node.Endpoints.Where(e => e.Sandbox == name).ToArray(), context.CancellationToken);
            if (attached.Length > 0 && !request.Force)
            {
                throw RefusalStatus.ToException(new(
                    RefusalKind.Conflict, $"Sandbox {name} is not removed.",
                    $"It has endpoints: {string.Join(", ", attached.Select(static e => e.Name))}.",
                    $"Detach them first, or type `overlayd sandbox rm --force {name}`."));
            }

            foreach (EndpointState endpoint in attached)
            {
                await Detach(new() { Endpoint = endpoint.Id.ToString() }, context);
            }
        }

        await host.Services.Reconciler.RunAsync(
            kernel => kernel.Execute([new Operation.DeleteNamespace(name)]), context.CancellationToken);
        host.Services.ResolvConf.Remove(name.Value);
        return new();
    }

    private static bool Exists(KernelHost kernel, NamespaceName name)
    {
        using NamespaceHandle? handle = kernel.Namespaces.TryOpen(name);
        return handle is not null;
    }

    private sealed record SandboxProbe(bool Exists, IReadOnlyList<string> Interfaces);

    private async Task<SandboxProbe> ProbeSandboxAsync(NamespaceName sandbox, string text, CancellationToken cancellationToken)
    {
        SandboxProbe probe = await host.Services.Reconciler.RunAsync(
            kernel => kernel.Observe([sandbox], []).Namespaces.TryGetValue(sandbox, out NamespaceState? state)
                ? new SandboxProbe(true, [.. state.Links.Keys])
                : new SandboxProbe(false, []),
            cancellationToken);
        if (!probe.Exists)
        {
            throw RefusalStatus.ToException(new(
                RefusalKind.NotFound, $"There is no sandbox {Refusal.Quote(text)}.",
                sandbox.Value.StartsWith('/') ? $"{sandbox} is not a network namespace." : $"/run/netns/{sandbox} does not exist.",
                "Create it with `overlayd sandbox create NAME`, or give the path of a namespace or a PID."));
        }

        return probe;
    }

    /// <summary>A network or service made on a manager a moment ago may still be on its way to this node.</summary>
    private async Task WaitForIntentAsync(Membership current, AttachRequest request, CancellationToken cancellationToken)
    {
        Instant until = host.Services.Clock.Now + IntentWait;
        while (host.Services.Clock.Now < until && current.Session.Current.Client is not null
            && await current.ReadAsync(node => IsUnknown(request, node), cancellationToken))
        {
            await Task.Delay(TimeSpan.FromMilliseconds(2), host.Services.Clock.Time, cancellationToken);
        }
    }

    private static bool IsUnknown(AttachRequest request, Node.Node node) =>
        node.Intent.FindNetwork(request.Network).IsRefused
        || (request.Service.Length > 0 && node.Intent.FindService(request.Service).IsRefused);
}

using System.Collections.Immutable;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>Changes of a service that its backends and clients outlive.</summary>
internal static class ServiceEdits
{
    public static Outcome<Proposal<ServiceObject>> Apply(ClusterState state, string text, ServiceEdit edit, Draft draft)
    {
        if (!state.FindService(text).TryGet(out ServiceObject? service, out Refusal? refusal))
        {
            return refusal;
        }

        string what = $"Service {service.Name} was not changed.";
        if (Fault(service, edit, what) is { } fault)
        {
            return fault;
        }

        ServiceObject changed = service.Clone();
        if (edit.Scheduler.Length > 0)
        {
            if (!ServiceChanges.ReadScheduler(edit.Scheduler, service.EndpointMode, what).TryGet(out Scheduler scheduler, out Refusal? unfit))
            {
                return unfit;
            }

            changed.Scheduler = scheduler;
        }

        if (edit.SourceIp.Length > 0)
        {
            if (!ServiceChanges.ReadSource(edit.SourceIp, what).TryGet(out bool translatesSource, out Refusal? unclear))
            {
                return unclear;
            }

            changed.TranslatesSource = translatesSource;
        }

        if (edit.Locality.Length > 0)
        {
            if (!ServiceChanges.ReadLocality(edit.Locality, service.EndpointMode, what).TryGet(out Locality locality, out Refusal? unclear))
            {
                return unclear;
            }

            changed.Locality = locality;
        }

        changed.WeightBy = edit.WeightBy ?? changed.WeightBy;
        if (ServiceChanges.WeightFault(changed.WeightBy, changed.Scheduler, what) is { } inWeight)
        {
            return inWeight;
        }

        changed.StickyMs = edit.StickyMs ?? changed.StickyMs;
        changed.Timeouts = edit.Timeouts is { } timeouts ? FlowLimits.Stored(timeouts) : changed.Timeouts;
        if ((FlowLimits.StickyFault(changed.StickyMs, changed.EndpointMode, what) ?? FlowLimits.TimeoutFault(changed.Timeouts, what)) is { } inFlows)
        {
            return inFlows;
        }

        if (edit.NoHealth)
        {
            changed.Health = null;
        }
        else if (edit.Health is { } asked)
        {
            if (!HealthRules.Complete(asked, what).TryGet(out HealthCheck? check, out Refusal? inHealth))
            {
                return inHealth;
            }

            changed.Health = check;
        }

        if (LabelRules.Edit(changed.Labels, edit.LabelsAdded, edit.LabelsRemoved, what, $"overlayd service inspect {service.Name}")
            is { } inLabels)
        {
            return inLabels;
        }

        if (!edit.PortsAdded.IsEmpty || !edit.PortsRemoved.IsEmpty)
        {
            if (!PortsOf(state, service, edit, what).TryGet(out ImmutableArray<PublishedPort> ports, out Refusal? inPorts))
            {
                return inPorts;
            }

            if (IngressNetwork.Ensure(state, ports, edit.IngressId, what, draft) is { } inIngress)
            {
                return inIngress;
            }

            changed.Ports.Clear();
            changed.Ports.AddRange(ports);
        }

        if (!changed.Equals(service))
        {
            draft.Update(new() { Service = changed });
        }

        return draft.Finish(changed);
    }

    private static Refusal? Fault(ServiceObject service, ServiceEdit edit, string what)
    {
        if (edit.IsEmpty)
        {
            return new(
                RefusalKind.Invalid, what, "Nothing is to be changed.",
                "Use --publish-add, --publish-rm, --scheduler, --weight-by, --sticky, --timeout, --source-ip, --locality, --health, --label-add "
                    + "or --label-rm.");
        }

        if (edit is { NoHealth: true, Health: not null })
        {
            return new(RefusalKind.Invalid, what, "A check and none are asked for at once.", "Use `--health` with one of them.");
        }

        return edit.PortsRemoved.Where(gone => !service.Ports.Any(p => IsMeant(p, gone)))
            .Select(gone => new Refusal(
                RefusalKind.NotFound, what, $"It publishes no target port {Text(gone)}.",
                $"See its ports with `overlayd service ls --filter name={service.Name}`; --publish-rm names the target, as Docker's does."))
            .FirstOrDefault();
    }

    private static Outcome<ImmutableArray<PublishedPort>> PortsOf(ClusterState state, ServiceObject service, ServiceEdit edit, string what) =>
        state.Network(service.NetworkId) is not { } network
            ? new Refusal(RefusalKind.NotFound, what, "Its network is gone.", $"Type `overlayd service rm {service.Name}`.")
            : new PublishedPorts(state, network, service.Id, what).With(
                service.Ports.Where(p => !edit.PortsRemoved.Any(gone => IsMeant(p, gone))), edit.PortsAdded);

    private static string Text((uint Target, PortProtocol Protocol) words) =>
        words.Protocol == PortProtocol.Unspecified ? $"{words.Target}" : PublishedPorts.Text(words.Target, words.Protocol);

    private static bool IsMeant(PublishedPort port, (uint Target, PortProtocol Protocol) words) =>
        port.Target == words.Target && (words.Protocol == PortProtocol.Unspecified || words.Protocol == port.Protocol);
}

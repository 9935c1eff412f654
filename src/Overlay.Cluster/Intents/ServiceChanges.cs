using System.Collections.Immutable;
using Overlay.Cluster.Addresses;
using Overlay.Primitives;
using Overlay.V1;

namespace Overlay.Cluster.Intents;

/// <summary>Services come and go.</summary>
internal static class ServiceChanges
{
    public static Outcome<Proposal<ServiceObject>> Create(ClusterState state, ServiceSpec spec, Draft draft)
    {
        string what = $"Service {Refusal.Quote(spec.Name)} was not created.";
        Invariant.Holds(ServiceId.TryParse(spec.Id, out _), "the caller makes service ids");
        Invariant.Holds(state.Service(spec.Id) is null, "the caller makes ids that are new");
        if (NameFault(state, spec.Name, what) is { } inName)
        {
            return inName;
        }

        if (spec.Mode is not (EndpointMode.Vip or EndpointMode.Dnsrr))
        {
            return new Refusal(
                RefusalKind.Invalid, what, "Its endpoint mode is unknown.", "Choose `--endpoint-mode vip` or `dnsrr`.");
        }

        if (!ReadScheduler(spec.Scheduler, spec.Mode, what).TryGet(out Scheduler scheduler, out Refusal? inScheduler))
        {
            return inScheduler;
        }

        if (!ReadSource(spec.SourceIp, what).TryGet(out bool translatesSource, out Refusal? inSource))
        {
            return inSource;
        }

        if (!ReadLocality(spec.Locality, spec.Mode, what).TryGet(out Locality locality, out Refusal? inLocality))
        {
            return inLocality;
        }

        if (WeightFault(spec.WeightBy, scheduler, what) is { } inWeight)
        {
            return inWeight;
        }

        if ((FlowLimits.StickyFault(spec.StickyMs, spec.Mode, what) ?? FlowLimits.TimeoutFault(spec.Timeouts, what)) is { } inFlows)
        {
            return inFlows;
        }

        if (LabelRules.Fault(spec.Labels, what) is { } inLabels)
        {
            return inLabels;
        }

        HealthCheck? health = null;
        if (spec.Health is { } asked && !HealthRules.Complete(asked, what).TryGet(out health, out Refusal? inHealth))
        {
            return inHealth;
        }

        if (!state.FindNetwork(spec.Network).TryGet(out NetworkObject? network, out Refusal? unknown))
        {
            return unknown;
        }

        if (network.Ingress)
        {
            return new Refusal(
                RefusalKind.Invalid, what, $"Network {network.Name} is for published ports alone.",
                "Make the service on a network of its backends: `overlayd network create blue`.");
        }

        VirtualAddressChoice choice = new(state, network, what, draft.UnixMs);
        if (!choice.For(spec).TryGet(out ImmutableArray<Address> virtualAddresses, out Refusal? inAddress))
        {
            return inAddress;
        }

        if (!new PublishedPorts(state, network, spec.Id, what).With([], spec.Ports)
            .TryGet(out ImmutableArray<PublishedPort> ports, out Refusal? inPorts))
        {
            return inPorts;
        }

        if (IngressNetwork.Ensure(state, ports, spec.IngressId, what, draft) is { } inIngress)
        {
            return inIngress;
        }

        ServiceObject service = new()
        {
            Id = spec.Id,
            Name = spec.Name,
            NetworkId = network.Id,
            EndpointMode = spec.Mode,
            Scheduler = scheduler,
            Health = health,
            TranslatesSource = translatesSource,
            Locality = locality,
            WeightBy = spec.WeightBy,
            StickyMs = spec.StickyMs,
            Timeouts = FlowLimits.Stored(spec.Timeouts),
            CreatedUnixMs = draft.UnixMs,
        };

        // In order, so that the bytes do not depend on how the labels were given.
        foreach ((string key, string value) in spec.Labels.OrderBy(label => label.Key, StringComparer.Ordinal))
        {
            service.Labels.Add(key, value);
        }

        service.Ports.AddRange(ports);
        service.VirtualAddresses.AddRange(virtualAddresses.Select(static a => a.ToString()));
        draft.Create(new() { Service = service });
        foreach (string address in service.VirtualAddresses)
        {
            draft.Create(new()
            {
                Reservation = new()
                {
                    Id = $"{network.Id}/{address}",
                    NetworkId = network.Id,
                    Address = address,
                    ServiceId = service.Id,
                },
            });
        }

        return draft.Finish(service);
    }

    public static Outcome<Proposal<ServiceObject>> Remove(ClusterState state, string text, Draft draft)
    {
        if (!state.FindService(text).TryGet(out ServiceObject? service, out Refusal? refusal))
        {
            return refusal;
        }

        draft.Delete(ObjectKind.Service, service.Id);
        foreach (ReservationObject held in state.ReservationsOf(service.NetworkId).Where(r => r.ServiceId == service.Id))
        {
            ReservationObject resting = held.Clone();
            resting.ReleasedUnixMs = draft.UnixMs;
            draft.Update(new() { Reservation = resting });
        }

        return draft.Finish(service);
    }

    public static Outcome<Scheduler> ReadScheduler(string text, EndpointMode mode, string what)
    {
        if (mode == EndpointMode.Dnsrr)
        {
            return text.Length == 0
                ? Scheduler.Unspecified
                : new Refusal(
                    RefusalKind.Invalid, what, "With --endpoint-mode dnsrr its clients choose among the backends, and no scheduler does.",
                    "Leave `--scheduler` out, or use `--endpoint-mode vip`.");
        }

        return text switch
        {
            "" or "wrr" => Scheduler.Wrr,
            "rr" => Scheduler.Rr,
            "sh" => Scheduler.Sh,
            "lc" => Scheduler.Lc,
            "wlc" => Scheduler.Wlc,
            "mh" => Scheduler.Mh,
            _ => new Refusal(
                RefusalKind.Invalid, what, $"There is no scheduler {Refusal.Quote(text)}.",
                "Choose `--scheduler rr`, `wrr`, `sh`, `lc`, `wlc` or `mh`."),
        };
    }

    public static Refusal? WeightFault(string label, Scheduler scheduler, string what) =>
        label.Length == 0 ? null
        : LabelRules.Fault([new(label, "")], what) is { } unfit
            ? unfit with { Next = "Name a label of nodes: `--weight-by cores`, and `overlayd node update --label-add cores=4 host2`." }
        : scheduler is Scheduler.Rr or Scheduler.Lc
            ? new(
                RefusalKind.Invalid, what, "With the schedulers rr and lc all backends get as much as any other, whatever they weigh.",
                "Use `--scheduler wrr` or `wlc`, or leave `--weight-by` out.")
        : null;

    /// <summary>Whether backends see their own node instead of the client.</summary>
    public static Outcome<bool> ReadSource(string text, string what) => text switch
    {
        "" or "preserve" => false,
        "snat" => true,
        _ => new Refusal(
            RefusalKind.Invalid, what, $"Backends see the client (preserve) or their node (snat), not {Refusal.Quote(text)}.",
            "Choose `--source-ip preserve` or `snat`."),
    };

    public static Outcome<Locality> ReadLocality(string text, EndpointMode mode, string what) => (text, mode) switch
    {
        ("" or "off", _) => Locality.Unspecified,
        ("prefer" or "require", EndpointMode.Dnsrr) => new Refusal(
            RefusalKind.Invalid, what, "With --endpoint-mode dnsrr its clients choose among the backends, wherever they are.",
            "Leave `--locality` out, or use `--endpoint-mode vip`."),
        ("prefer", _) => Locality.Prefer,
        ("require", _) => Locality.Require,
        _ => new Refusal(
            RefusalKind.Invalid, what, $"There is no locality {Refusal.Quote(text)}.", "Choose `--locality off`, `prefer` or `require`."),
    };

    private static Refusal? NameFault(ClusterState state, string name, string what)
    {
        if (!ServiceSpec.IsName(name))
        {
            return new(
                RefusalKind.Invalid, what,
                "A service's name is a DNS label: 1 to 63 letters, digits, '-' or '_', the first and the last a letter or digit.",
                "Choose such a name, for example `overlayd service create web --network blue`.");
        }

        if (state.ServiceNamed(name) is { } namesake)
        {
            string network = state.Network(namesake.NetworkId)?.Name ?? namesake.NetworkId;
            return new(
                RefusalKind.Conflict, what,
                $"Service {namesake.Id} on network {network} is called {namesake.Name}, "
                    + "and names of services are the cluster's, whatever their case.",
                $"Choose another name, or type `overlayd service rm {namesake.Name}` first.");
        }

        return state.ServiceCount < Limits.Services
            ? null
            : new(
                RefusalKind.Exhausted, what, $"The cluster has {Limits.Services} services, the most it can have.",
                "Type `overlayd service rm` for services that nobody needs.");
    }
}

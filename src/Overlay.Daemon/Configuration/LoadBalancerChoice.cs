using Overlay.Dataplane;
using Overlay.Linux;

namespace Overlay.Daemon.Configuration;

/// <summary>What sandboxes are to balance their flows to virtual addresses by.</summary>
internal enum LoadBalancerChoice
{
    /// <summary>IPVS where the kernel has it, nftables elsewhere.</summary>
    Auto,
    Nftables,
    Ipvs,
}

/// <summary>What comes of the choice on this kernel.</summary>
internal static class LoadBalancerChoices
{
    /// <exception cref="Errors.FailureException">IPVS is asked for, and the kernel has none.</exception>
    public static LoadBalancer On(this LoadBalancerChoice choice, KernelHost kernel)
    {
        // Where nftables is chosen services of IPVS may be left of before, and are removed.
        string? lack = kernel.FindIpvs(load: choice != LoadBalancerChoice.Nftables);
        return choice == LoadBalancerChoice.Nftables || (choice == LoadBalancerChoice.Auto && lack is not null) ? LoadBalancer.Nftables
            : lack is null ? LoadBalancer.Ipvs
            : throw new Errors.FailureException(
                "cannot balance by IPVS", lack, "Load the module ip_vs, or use `--load-balancer auto`", Errors.ExitCode.Failure);
    }
}

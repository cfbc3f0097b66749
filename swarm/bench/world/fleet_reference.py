"""Steps of PyBulletFleet, for the bench `world`: runs in an environment of its own, with nothing of ours.

Arguments: the number of robots, and the simulated time of a step in seconds. Prints `true` when it is ready. Then each
line that it reads is a number of steps; it makes them, and prints `true`.
"""

# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUnknownMemberType=false

import math
import os
import sys

try:
    from pybullet_fleet import AgentSpawnParams, MultiRobotSimulationCore, Pose, SimulationParams
    from pybullet_fleet.agent_manager import AgentManager, GridSpawnParams
    from pybullet_fleet.robot_models import resolve_model
    from pybullet_fleet.types import CollisionMode, SpatialHashCellSizeMode
except ImportError as error:
    sys.exit(str(error))

FAR_M = 1e5                          # how far ahead a robot's goal is: it never arrives

robots, step_s = int(sys.argv[1]), float(sys.argv[2])
answers = os.fdopen(os.dup(1), "w")  # PyBullet prints to standard output
os.dup2(2, 1)
# as examples/scale/batch_controller_scale_demo.py of the package
world = MultiRobotSimulationCore(SimulationParams(
    target_rtf=0, gui=False, monitor=False, enable_monitor_gui=False, physics=False, timestep=step_s,
    spatial_hash_cell_size_mode=SpatialHashCellSizeMode.CONSTANT, spatial_hash_cell_size=2.0, log_level="error"))
fleet = AgentManager(sim_core=world, fleet_controller={"type": "batch_omni"})
side = math.ceil(math.sqrt(robots))
agents = fleet.spawn_agents_grid(
    num_agents=robots,
    grid_params=GridSpawnParams(x_min=0, x_max=side - 1, y_min=0, y_max=side - 1, spacing=[2.0, 2.0, 0.0],
                                offset=[0.0, 0.0, 0.1]),
    spawn_params=AgentSpawnParams(
        urdf_path=resolve_model("simple_cube"), collision_mode=CollisionMode.NORMAL_3D,
        controller={"type": "omni", "max_linear_vel": 1.5, "max_linear_accel": 2.0, "max_angular_vel": 2.0,
                    "max_angular_accel": 4.0}))
for agent in agents:
    here = agent.get_pose()
    agent.set_path([Pose.from_xyz(here.x + FAR_M, here.y, here.z)])
world.step_once()
print("true", file=answers, flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        world.step_once()
    print("true", file=answers, flush=True)

// What cornerstone's adapters make of a structured report: JSON in, JSON out.
//   node hydrate.mjs < request.json     { "report": path, "images": { SOPInstanceUID: path } }
import { readFileSync } from "node:fs";
import { metaData } from "@cornerstonejs/core";
import { adaptersSR } from "@cornerstonejs/adapters";
import { readDataset, register } from "./images.mjs";

const request = JSON.parse(readFileSync(0, "utf8"));
const imageIds = register(request.images);
const { MeasurementReport } = adaptersSR.Cornerstone3D;
const state = MeasurementReport.generateToolState(
  readDataset(request.report),
  imageIds,
  metaData
);
const found = {};
for (const [tool, measurements] of Object.entries(state)) {
  found[tool] = measurements.map((one) => ({
    trackingUid: one.TrackingUniqueIdentifier,
    label: one.annotation.data.label,
    finding: one.finding?.CodeMeaning ?? null,
    sites: (one.findingSites ?? []).map((site) => (site[0] ?? site).CodeMeaning),
    sopInstanceUid: one.sopInstanceUid ?? null,
    frame: one.annotation.data.frameNumber ?? null,
    frameOfReference: one.annotation.metadata.FrameOfReferenceUID,
    points: (one.annotation.data.handles?.points ?? []).map((point) => [...point]),
    stated: Object.values(one.annotation.data.cachedStats ?? {}),
  }));
}
process.stdout.write(JSON.stringify(found));
